def pair():
    yield left
    yield right


def left():
    pass


def right():
    pass


a, b = pair()
a()
b()
