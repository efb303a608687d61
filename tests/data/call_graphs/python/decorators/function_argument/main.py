def before():
    pass


def hooked(hook):
    def decorate(function):
        def wrapper():
            hook()
            function()

        return wrapper

    return decorate


@hooked(before)
def action():
    pass


action()
