def greet():
    return "hello"


def run(action):
    return action()


run(greet)
