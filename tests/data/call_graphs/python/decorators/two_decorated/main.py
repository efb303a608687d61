def loud(function):
    def wrapper():
        return function()

    return wrapper


@loud
def cat():
    pass


@loud
def dog():
    pass


cat()
dog()
