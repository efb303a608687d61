from functools import wraps


def logged(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        note(function.__name__)
        return function(*args, **kwargs)

    return wrapper


def note(text):
    pass


@logged
def add(left, right):
    return left + right


add(1, right=2)
