def open_it():
    pass


def close_it():
    pass


ACTIONS = {"open": open_it, "close": close_it}
