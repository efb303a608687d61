def up():
    pass


def down():
    pass


key = "up"
moves = {"up": up, "down": down}
moves[key]()
