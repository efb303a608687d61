def double(value):
    return value * 2


def is_large(value):
    return value > 2


list(filter(is_large, map(double, [1, 2, 3])))
