class Base:
    def setup(self):
        pass


class Log:
    def setup(self):
        super().setup()


class App(Log, Base):
    def setup(self):
        super().setup()


App().setup()
