def red():
    pass


def blue():
    pass


def colours():
    yield red
    yield blue


for paint in colours():
    paint()
