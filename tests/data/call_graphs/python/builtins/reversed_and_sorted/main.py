class Size:
    def __lt__(self, other):
        return False

    def use(self):
        pass


class Row:
    def __init__(self):
        self.items = [Size()]

    def __reversed__(self):
        return iter([Size()])


for size in reversed(Row()):
    size.use()

sorted([Size(), Size()])
