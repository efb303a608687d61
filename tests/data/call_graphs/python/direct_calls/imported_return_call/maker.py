def made():
    pass


def make():
    return made
