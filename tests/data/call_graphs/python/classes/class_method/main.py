class Node:
    def __init__(self, value):
        self.value = value

    @classmethod
    def root(cls):
        return cls(0)

    def show(self):
        return self.value


Node.root().show()
