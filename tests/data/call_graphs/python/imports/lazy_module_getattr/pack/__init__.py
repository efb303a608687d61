def __getattr__(name):
    if name == "lazy":
        from .hidden import lazy

        return lazy
    raise AttributeError(name)
