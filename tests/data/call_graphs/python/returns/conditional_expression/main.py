def one():
    pass


def two():
    pass


def pick(flag):
    return one if flag else two


pick(True)()
pick(False)()
