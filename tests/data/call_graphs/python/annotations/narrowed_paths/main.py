class Item:
    def price(self):
        pass

    def weight(self):
        pass


class Other:
    def price(self):
        pass

    def weight(self):
        pass


class Box:
    def __init__(self, thing):
        self.thing = thing

    def own(self):
        if isinstance(self.thing, Item):
            self.thing.price()
            len([self.thing.price() for _ in "ab"])

    def left(self):
        if not isinstance(self.thing, Item):
            return
        for _ in "ab":
            self.thing.price()

    def replaced(self):
        if isinstance(self.thing, Item):
            self.thing = Other()
            self.thing.price()

    def other(self):
        if isinstance(self.thing, Item):
            pass
        else:
            self.thing.weight()

    def behind(self):
        if isinstance(self.thing, Item):
            pass
        self.thing.weight()


def further(outer):
    return isinstance(outer.thing.thing, Item) and outer.thing.thing.price()


def another(box, second):
    if isinstance(box.thing, Item):
        box = second
        box.thing.price()


for kind in (Item, Other):
    Box(kind()).own()
    Box(kind()).left()
    Box(kind()).other()
    Box(kind()).behind()
    Box(kind()).replaced()
    further(Box(Box(kind())))
another(Box(Item()), Box(Other()))
another(Box(Item()), Box(Item()))
