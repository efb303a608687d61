def old():
    pass


def new():
    pass


steps = [old]
steps[0] = new
steps[0]()
