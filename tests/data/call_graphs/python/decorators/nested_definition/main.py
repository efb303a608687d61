def log(function):
    def wrapper():
        return function()

    return wrapper


def outer():
    @log
    def inner():
        pass

    inner()


outer()
