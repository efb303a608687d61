def work():
    rest()


def rest():
    pass
