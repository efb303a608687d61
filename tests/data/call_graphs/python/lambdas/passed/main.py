def run(action):
    return action(1)


run(lambda value: value + 1)
