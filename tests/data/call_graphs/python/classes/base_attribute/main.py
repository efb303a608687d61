def describe():
    return "base"


class Base:
    describe = staticmethod(describe)


class Derived(Base):
    pass


Derived.describe()
