def red():
    pass


def green():
    pass


table = {function.__name__: function for function in (red, green)}
for name in ("red", "green"):
    table[name]()
