def guard(flag):
    if not flag:
        return fallback
    try:
        return work
    finally:
        note()


def fallback():
    pass


def work():
    pass


def note():
    pass


guard(True)()
guard(False)()
