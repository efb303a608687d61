def red():
    pass


def blue():
    pass


def paint(brush):
    brush()


def morning():
    paint(red)


def evening():
    paint(blue)


morning()
evening()
