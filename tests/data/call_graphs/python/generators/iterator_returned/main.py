class Box:
    def __init__(self):
        self.items = [1]

    def __iter__(self):
        return iter(self.items)


def boxes():
    return Box()


for item in boxes():
    print(item)
