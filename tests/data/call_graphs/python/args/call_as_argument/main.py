def make_width():
    return 4


def area(width, height):
    return width * height


area(make_width(), height=make_width())
