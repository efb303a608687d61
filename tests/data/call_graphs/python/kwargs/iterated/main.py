def one():
    pass


def two():
    pass


def run(**actions):
    for action in actions.values():
        action()


run(a=one, b=two)
