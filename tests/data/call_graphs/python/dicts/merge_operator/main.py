def one():
    pass


def two():
    pass


table = {"one": one} | {"two": two}
table["two"]()
