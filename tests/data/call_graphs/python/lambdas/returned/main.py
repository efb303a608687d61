def make():
    return lambda: leaf()


def leaf():
    pass


make()()
