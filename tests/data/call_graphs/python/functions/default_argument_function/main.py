def compare(left, right):
    return left < right


def smallest(values, before=compare):
    best = values[0]
    for value in values[1:]:
        if before(value, best):
            best = value
    return best


smallest([2, 1])
