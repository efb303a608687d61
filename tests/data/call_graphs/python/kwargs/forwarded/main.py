def work(size, action=None):
    action()


def wrap(*args, **kwargs):
    return work(*args, **kwargs)


def act():
    pass


wrap(1, action=act)
