class Base:
    @classmethod
    def make(cls):
        return cls()


class Derived(Base):
    @classmethod
    def make(cls):
        return super().make()

    def show(self):
        pass


Derived.make().show()
