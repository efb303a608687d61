class Base(Exception):
    def __init__(self, code):
        self.code = code


class Child(Base):
    def __init__(self):
        super().__init__(explain())


def explain():
    return 2


try:
    raise Child
except Base:
    pass
