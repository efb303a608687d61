def table():
    return [work]


def work():
    pass


table()[0]()
