class Base:
    def __init__(self):
        self.ready = True


class Derived(Base):
    def __init__(self):
        super().__init__()


Derived()
