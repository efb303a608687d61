def build():
    return product


def product():
    pass
