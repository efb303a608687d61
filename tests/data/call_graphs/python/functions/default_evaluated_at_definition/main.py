def now():
    return 0


def log(time=now()):
    return time


log()
