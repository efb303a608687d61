def first():
    pass


def second():
    pass


def run(action):
    action()
    action = second
    action()


run(first)
