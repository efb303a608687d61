def identity(value):
    return value


def one():
    pass


def two():
    pass


identity(one)()
identity(two)()
