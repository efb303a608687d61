def one():
    pass


def two():
    pass


base = {"one": one}
table = {**base, "two": two}
table["one"]()
