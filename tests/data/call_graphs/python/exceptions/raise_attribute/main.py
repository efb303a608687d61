import errors


def fail():
    raise errors.Failure()


try:
    fail()
except errors.Failure:
    pass
