def make(function):
    return lambda: function()


def leaf():
    pass


make(leaf)()
