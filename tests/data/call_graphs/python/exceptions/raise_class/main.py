class Broken(Exception):
    def __init__(self, part):
        super().__init__(part)


def check():
    raise Broken("x")


try:
    check()
except Broken:
    pass
