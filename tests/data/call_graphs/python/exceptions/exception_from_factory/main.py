class Missing(Exception):
    def __init__(self, name):
        self.name = name

    @classmethod
    def of(cls, name):
        return cls(name)


try:
    raise Missing.of("x")
except Missing:
    pass
