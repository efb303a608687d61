def basic():
    pass


def extra():
    pass


table = {"basic": basic}
table.update({"extra": extra})
table["extra"]()
