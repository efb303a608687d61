class Registry(type):
    def __new__(mcs, name, bases, namespace):
        cls = super().__new__(mcs, name, bases, namespace)
        note(cls)
        return cls


def note(cls):
    pass


class Plugin(metaclass=Registry):
    pass
