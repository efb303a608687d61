import helper


def work():
    pass


work()
