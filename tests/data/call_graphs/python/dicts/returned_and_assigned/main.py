def left():
    pass


def right():
    pass


def table():
    return {"left": left, "right": right}


turns = table()
turns["left"]()
