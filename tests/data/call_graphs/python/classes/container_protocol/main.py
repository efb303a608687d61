class Bag:
    def __init__(self):
        self.items = {}

    def __setitem__(self, key, value):
        self.items[key] = value

    def __contains__(self, key):
        return key in self.items

    def __delitem__(self, key):
        del self.items[key]


bag = Bag()
bag["a"] = 1
"a" in bag
del bag["a"]
