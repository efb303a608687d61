def work():
    unrelated()


def unrelated():
    pass
