def measure():
    return 3


def report():
    if (action := measure) and action():
        return action
    return None


report()
