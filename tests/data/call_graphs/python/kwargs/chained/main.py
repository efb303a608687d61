def leaf():
    pass


def inner(callback=None):
    callback()


def outer(callback=None):
    inner(callback=callback)


outer(callback=leaf)
