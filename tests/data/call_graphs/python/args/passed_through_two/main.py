def leaf():
    pass


def inner(callback):
    callback()


def outer(callback):
    inner(callback)


outer(leaf)
