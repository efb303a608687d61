class Item:
    def price(self):
        pass


class Other:
    def price(self):
        pass


class Shelf:
    best: Item

    def __init__(self):
        self.last: Item = Item()
