def jobs():
    yield work


def work():
    pass


queue = jobs()
next(queue)()
