from functools import reduce


def join(left, right):
    return left + right


def total(values):
    return reduce(join, values, 0)


total([1, 2, 3])
