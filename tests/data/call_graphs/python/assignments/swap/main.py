def hot():
    return "hot"


def cold():
    return "cold"


def use_first():
    a, b = hot, cold
    a, b = b, a
    return a()


use_first()
