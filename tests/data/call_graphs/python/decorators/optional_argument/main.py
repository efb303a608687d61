def tagged(function=None, *, tag="x"):
    def decorate(inner):
        def wrapper():
            return inner()

        return wrapper

    if function is None:
        return decorate
    return decorate(function)


@tagged
def plain():
    pass


@tagged(tag="y")
def special():
    pass


plain()
special()
