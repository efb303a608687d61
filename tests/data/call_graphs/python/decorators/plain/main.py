def trace(function):
    def wrapper():
        return function()

    return wrapper


@trace
def task():
    pass


task()
