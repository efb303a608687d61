def outer():
    return middle


def middle():
    return inner


def inner():
    pass


outer()()()
