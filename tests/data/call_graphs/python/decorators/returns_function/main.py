def register(function):
    return function


@register
def task():
    pass


task()
