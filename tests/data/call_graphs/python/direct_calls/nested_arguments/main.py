def one(value):
    return value


def two(value):
    return value


def three():
    return 1


one(two(three()))
