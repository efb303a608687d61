class Item:
    def price(self):
        return 1


class Cart:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)

    def total(self):
        return sum(item.price() for item in self.items)


cart = Cart()
cart.add(Item())
cart.total()
