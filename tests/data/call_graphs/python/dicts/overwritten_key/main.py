def old():
    pass


def new():
    pass


table = {"run": old}
table["run"] = new
table["run"]()
