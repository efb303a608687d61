def attempt():
    raise ValueError


def recover():
    pass


def tidy():
    pass


def success():
    pass


try:
    attempt()
except ValueError:
    recover()
else:
    success()
finally:
    tidy()
