class A:
    def __init__(self):
        self.other = B(self)

    def ping(self):
        pass


class B:
    def __init__(self, owner):
        self.owner = owner

    def pong(self):
        self.owner.ping()


A().other.pong()
