def name():
    return "x"


def greet():
    return f"hello {name()!r:>{width()}}"


def width():
    return 10


greet()
