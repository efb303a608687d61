def middle():
    pass


def finish():
    pass
