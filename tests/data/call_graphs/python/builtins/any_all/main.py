def odd(value):
    return value % 2


def check(values):
    return any(odd(value) for value in values) and all(map(odd, values))


check([1, 3])
