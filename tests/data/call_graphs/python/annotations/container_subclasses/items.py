class Item:
    def price(self):
        pass


class Items(dict[str, "Item"]):
    def first(self):
        return self["a"]


class Row(list[Item]):
    pass
