def get():
    pass


def put():
    pass


def pair():
    return get, put


getter, putter = pair()
putter()
