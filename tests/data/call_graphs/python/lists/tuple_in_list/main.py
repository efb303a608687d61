def one():
    pass


def two():
    pass


pairs = [(1, one), (2, two)]
pairs[1][1]()
