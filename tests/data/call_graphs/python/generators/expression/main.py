def square(value):
    return value * value


def total(values):
    return sum(square(value) for value in values)


total([1, 2])
