def produce():
    return iter([work])


def work():
    pass


next(produce())()
