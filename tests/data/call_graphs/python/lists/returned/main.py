def one():
    pass


def two():
    pass


def steps():
    return [one, two]


first, second = steps()
first()
second()
