class Chain:
    def first(self):
        return self.second

    def second(self):
        return self.third

    def third(self):
        pass


Chain().first()()()
