def jobs():
    yield one
    yield two


def one():
    pass


def two():
    pass


first, second = list(jobs())
second()
first()
