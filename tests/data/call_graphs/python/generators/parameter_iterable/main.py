class Steps:
    def __iter__(self):
        self.done = False
        return self

    def __next__(self):
        if self.done:
            raise StopIteration
        self.done = True
        return step


def step():
    pass


def walk(path):
    for action in path:
        action()


walk(Steps())
