def a():
    pass


def b():
    pass


def c():
    pass


letters = [a, b, c]
tail = letters[1:]
tail[0]()
tail[1]()
