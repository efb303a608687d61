def load():
    pass


def store():
    pass


actions = {"load": load, "store": store}
actions["load"]()
