def act():
    pass


class Holder:
    def __init__(self, *, action=None):
        self.action = action

    def run(self):
        self.action()


Holder(action=act).run()
