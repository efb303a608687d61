from shop import Item, Other, Shelf


class Corner(Shelf):
    def sell(self):
        self.best.price()
        self.last.price()


def put(shelf, thing):
    if isinstance(thing, Item):
        shelf.best = thing
        shelf.last = thing


corner = Corner()
for each in (Item(), Other()):
    put(corner, each)
setattr(corner, "best", Item())
corner.sell()
