def run(action):
    held = action
    held()


def work():
    pass
