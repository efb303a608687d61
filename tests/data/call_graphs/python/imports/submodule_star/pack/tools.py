def hammer():
    nail()


def nail():
    pass
