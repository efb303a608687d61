def scale(value, factor=2):
    return multiply(value, factor)


def multiply(left, right):
    return left * right


scale(3)
