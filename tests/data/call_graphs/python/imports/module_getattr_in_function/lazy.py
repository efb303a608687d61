def make():
    pass


def __getattr__(name):
    if name == "made":
        return make
    raise AttributeError(name)
