def first():
    pass


def second():
    pass


def third():
    pass


def fourth():
    pass


a, *middle, z = first, second, third, fourth
z()
middle[1]()
