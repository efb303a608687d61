def substitute(function):
    return other


def other():
    pass


@substitute
def task():
    pass


task()
