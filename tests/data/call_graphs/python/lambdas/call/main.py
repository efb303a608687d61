def add(value):
    return value + 1


increase = lambda value: add(value)
increase(1)
