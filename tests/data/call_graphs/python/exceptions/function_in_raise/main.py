def make_error(text):
    return ValueError(text)


def run():
    raise make_error("bad") from cause()


def cause():
    return KeyError("cause")


try:
    run()
except ValueError:
    pass
