import tools


def quiet():
    return None


def patch():
    tools.loud = quiet


tools.run()
