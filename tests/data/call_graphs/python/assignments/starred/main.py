def head():
    pass


def middle():
    pass


def tail():
    pass


first, *rest = head, middle, tail
first()
rest[0]()
rest[1]()
