callbacks = []


def register(function):
    callbacks.append(function)


def fire():
    for callback in callbacks:
        callback()


def hello():
    pass


register(hello)
fire()
