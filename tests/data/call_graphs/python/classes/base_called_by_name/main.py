class Base:
    def setup(self):
        pass


class Derived(Base):
    def setup(self):
        Base.setup(self)


Derived().setup()
