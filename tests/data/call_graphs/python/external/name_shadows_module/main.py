import math as numbers


def sqrt(value):
    return value


numbers.sqrt(4)
sqrt(4)
