def standard():
    pass


def run(action=None):
    if action is None:
        action = standard
    action()


run()
