def one():
    pass


def two():
    pass


for name, action in [("a", one), ("b", two)]:
    action()
