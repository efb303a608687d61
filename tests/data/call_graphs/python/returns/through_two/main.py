def target():
    pass


def first():
    return target


def second():
    return first()


second()()
