def outer():
    def inner():
        leaf()

    inner()


def leaf():
    pass


outer()
