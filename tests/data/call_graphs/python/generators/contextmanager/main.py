from contextlib import contextmanager


@contextmanager
def opened():
    begin()
    yield handle
    end()


def begin():
    pass


def end():
    pass


def handle():
    pass


with opened() as use:
    use()
