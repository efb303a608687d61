def first():
    pass


def last():
    pass


steps = [first, last]
steps[-1]()
