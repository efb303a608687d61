class Base:
    def run(self):
        self.step()

    def step(self):
        pass


class Kid0(Base):
    def step(self):
        pass


class Kid1(Base):
    def step(self):
        pass


class Kid2(Base):
    def step(self):
        pass


class Kid3(Base):
    def step(self):
        pass


class Kid4(Base):
    def step(self):
        pass


class Kid5(Base):
    def step(self):
        pass


class Kid6(Base):
    def step(self):
        pass


class Kid7(Base):
    def step(self):
        pass


class Kid8(Base):
    def step(self):
        pass


class Kid9(Base):
    def step(self):
        pass


class Kid10(Base):
    def step(self):
        pass


class Kid11(Base):
    def step(self):
        pass


class Kid12(Base):
    def step(self):
        pass


class Kid13(Base):
    def step(self):
        pass


class Kid14(Base):
    def step(self):
        pass


class Kid15(Base):
    def step(self):
        pass


class Kid16(Base):
    def step(self):
        pass


class Kid17(Base):
    def step(self):
        pass


class Kid18(Base):
    def step(self):
        pass


class Kid19(Base):
    def step(self):
        pass


def start(task: Base):
    task.run()


start(Kid0())
start(Kid1())
start(Kid2())
start(Kid3())
start(Kid4())
start(Kid5())
start(Kid6())
start(Kid7())
start(Kid8())
start(Kid9())
start(Kid10())
start(Kid11())
start(Kid12())
start(Kid13())
start(Kid14())
start(Kid15())
start(Kid16())
start(Kid17())
start(Kid18())
start(Kid19())
