def outer():
    action = work

    def inner():
        action()

    inner()


def work():
    pass


outer()
