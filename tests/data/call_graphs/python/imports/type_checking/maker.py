import kinds


def make():
    return kinds.Kind()
