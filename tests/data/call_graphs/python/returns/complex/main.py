def leaf():
    pass


def build(function):
    def inner():
        return function

    return inner


def wrap(function):
    return build(function)


wrap(leaf)()()
