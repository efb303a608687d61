def ring():
    pass


def use(table):
    table["bell"]()


use({"bell": ring})
