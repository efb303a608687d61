def valid():
    return True


def ready():
    return True


def message():
    return "not valid"


assert valid() and ready(), message()
