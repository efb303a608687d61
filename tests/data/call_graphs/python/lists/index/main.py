def first():
    pass


def second():
    pass


steps = [first, second]
steps[1]()
