class Machine:
    def __init__(self):
        self.step = self.first

    def first(self):
        self.step = self.second

    def second(self):
        pass

    def run(self):
        self.step()
        self.step()


Machine().run()
