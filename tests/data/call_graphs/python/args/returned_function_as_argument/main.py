def target():
    return 1


def choose():
    return target


def apply(function):
    return function()


apply(choose())
