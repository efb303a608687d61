class Pen:
    def __init__(self):
        self.ink = 1

    def write(self):
        pass


def make(kind):
    thing = kind()
    thing.write()
    return thing


make(Pen)
