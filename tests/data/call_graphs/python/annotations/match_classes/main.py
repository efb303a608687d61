class Item:
    def price(self):
        pass


class Part:
    def price(self):
        pass


class Other:
    def price(self):
        pass


class Box:
    def __init__(self, thing):
        self.thing = thing

    def path(self):
        match self.thing:
            case Item():
                self.thing.price()


def by_name(x):
    match x:
        case Item():
            x.price()
        case Part() as part if part:
            part.price()


def either(x):
    match x:
        case Item() | Part():
            x.price()


def of_call(x):
    match (lambda: x)():
        case Item() as item:
            item.price()


def anything(x):
    match x:
        case Item():
            pass
        case _:
            x.price()


for kind in (Item, Part, Other):
    Box(kind()).path()
    by_name(kind())
    either(kind())
    of_call(kind())
    anything(kind())
