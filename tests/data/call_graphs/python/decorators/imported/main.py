from wrappers import timed


@timed
def compute():
    return 1


compute()
