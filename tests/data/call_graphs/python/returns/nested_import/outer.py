from inner import value


def give():
    return value()
