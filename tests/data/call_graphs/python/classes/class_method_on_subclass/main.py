class Base:
    @classmethod
    def create(cls):
        instance = cls()
        instance.check()
        return instance

    def check(self):
        pass


class Special(Base):
    def check(self):
        pass


Special.create()
