def traced(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def target():
    return 1


handler = target
handler()
for _ in range(3):
    handler = traced(handler)
handler()
