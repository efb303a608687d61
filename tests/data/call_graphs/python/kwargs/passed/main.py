def act():
    pass


def run(first, action):
    action()


run(1, action=act)
