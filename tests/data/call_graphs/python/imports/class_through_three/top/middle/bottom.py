class Thing:
    def use(self):
        pass
