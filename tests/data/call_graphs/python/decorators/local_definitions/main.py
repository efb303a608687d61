def keep(function):
    held = [function]
    return held[0]


def kept(label):
    if callable(label):
        return keep(label)
    return keep


def first():
    @keep
    def one():
        return 1

    return one()


def second():
    @kept("two")
    def two():
        return 2

    return two()


def third():
    def three():
        return 3

    kept(three)
    return three()


first()
second()
third()
