def timed(function):
    def timer(*args, **kwargs):
        return function(*args, **kwargs)

    return timer
