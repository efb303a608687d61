class Base:
    def go(self):
        self.step()


class One(Base):
    def step(self):
        pass


class Two(Base):
    def step(self):
        pass


One().go()
Two().go()
