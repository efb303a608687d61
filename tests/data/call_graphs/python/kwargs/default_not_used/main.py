def standard():
    pass


def special():
    pass


def run(*, action=standard):
    action()


run(action=special)
