from typing import List, Union


class Item:
    def price(self):
        pass


class Part:
    def price(self):
        pass


class Other:
    def price(self):
        pass


Sold = Union["Item", "Part"]


class Shelf:
    named: dict[str, Item]

    def __init__(self):
        self.items: List[Sold] = []
        self.named = {}

    def put(self, things):
        for thing in things:
            if hasattr(thing, "price") and type(thing).__name__ != "Other":
                self.items.append(thing)

    def prices(self):
        for item in self.items:
            item.price()

    def in_a_list(self):
        return [item.price() for item in self.items]

    def by_name(self):
        for name, item in self.named.items():
            item.price()


def outside(shelf: Shelf):
    for item in shelf.items:
        item.price()


shelf = Shelf()
shelf.put([Item(), Part(), Other()])
shelf.named["a"] = Item()
shelf.prices()
shelf.in_a_list()
shelf.by_name()
outside(shelf)
