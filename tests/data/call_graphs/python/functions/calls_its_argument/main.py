class Table:
    @classmethod
    def create(cls):
        return cls()

    def show(self):
        return "table"


class Chart:
    def show(self):
        return "chart"


def build(kind):
    if hasattr(kind, "create"):
        made = kind.create()
    else:
        made = kind()
    if made is None:
        raise TypeError(kind)
    return made


def run(function):
    return function()


def new_chart():
    return Chart()


def first():
    build(Table).show()


def second():
    build(Chart).show()


def third():
    run(new_chart).show()


first()
second()
third()
