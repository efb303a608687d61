from items import Item, Items, Row


class Dear(Items):
    pass


def by_key(items: Items):
    items["a"].price()


def by_get(items: Items):
    items.get("a").price()


def by_values(items: Dear):
    for item in items.values():
        item.price()


def by_pairs(items: Items):
    for name, item in items.items():
        item.price()


def each(row: Row):
    for item in row:
        item.price()


def at(row: Row):
    row[0].price()


def from_inside(items: Items):
    items.first().price()


items = Dear()
items["a"] = Item()
row = Row([items["a"]])
for function in (by_key, by_get, by_values, by_pairs, from_inside):
    function(items)
each(row)
at(row)
