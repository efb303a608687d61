class Cached:
    def __init__(self, function):
        self.function = function

    def __call__(self, value):
        return self.function(value)


@Cached
def slow(value):
    return value


slow(1)
