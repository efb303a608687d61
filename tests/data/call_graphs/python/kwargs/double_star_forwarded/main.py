def act():
    pass


def inner(action):
    action()


def outer(**options):
    inner(**options)


outer(action=act)
