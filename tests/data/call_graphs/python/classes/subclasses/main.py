class Base:
    @classmethod
    def all(cls):
        return cls.__subclasses__()


class One(Base):
    def run(self):
        pass


class Two(One):
    @staticmethod
    def make():
        pass


for each in Base.__subclasses__():
    each().run()
    for below in each.__subclasses__():
        below.make()
Base.all()[0]().run()
