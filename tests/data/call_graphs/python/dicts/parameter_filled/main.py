def ring():
    pass


def fill(table):
    table["bell"] = ring


bells = {}
fill(bells)
bells["bell"]()
