def act():
    pass


class Holder:
    def __init__(self, action):
        self.action = action

    def run(self):
        self.action()


Holder(act).run()
