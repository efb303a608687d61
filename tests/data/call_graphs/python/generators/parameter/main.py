def source():
    yield 1


def consume(stream):
    for value in stream:
        keep(value)


def keep(value):
    return value


consume(source())
