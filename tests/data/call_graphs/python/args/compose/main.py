def compose(outer, inner):
    def composed(value):
        return outer(inner(value))

    return composed


def double(value):
    return value * 2


def negate(value):
    return -value


compose(double, negate)(3)
