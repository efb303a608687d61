class Tree:
    def __iter__(self):
        yield leaf

    def walk(self):
        for node in self:
            node()


def leaf():
    pass


Tree().walk()
