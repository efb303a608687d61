class Item:
    def price(self):
        pass


class Dear(Item):
    def price(self):
        pass


class Other:
    def price(self):
        pass


class Third:
    def price(self):
        pass


def otherwise(x):
    if isinstance(x, Item):
        pass
    else:
        x.price()


def none_of_two(x):
    if isinstance(x, Item):
        pass
    elif isinstance(x, Other):
        pass
    else:
        x.price()


def left(x):
    if isinstance(x, (Item, Other)):
        return x
    x.price()


def either(x):
    return isinstance(x, Item) or x.price()


def chosen(x):
    return 1 if isinstance(x, Item) else x.price()


def asserted(x):
    assert not isinstance(x, Item)
    x.price()


def bound_again(x):
    if isinstance(x, Item):
        pass
    else:
        x = Item()
    x.price()


def made_if_need_be(x):
    if not isinstance(x, Item):
        x = Dear()
    x.price()


for thing in (Item(), Dear(), Other(), Third()):
    otherwise(thing)
    none_of_two(thing)
    left(thing)
    either(thing)
    chosen(thing)
    if not isinstance(thing, Item):
        asserted(thing)
    bound_again(thing)
    made_if_need_be(thing)
