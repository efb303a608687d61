def show(value):
    return value


def pick(function):
    return function


pick(show)(1)
