def helper():
    pass


class Parent:
    def __init__(self):
        self.action = helper


class Child(Parent):
    def run(self):
        self.action()


Child().run()
