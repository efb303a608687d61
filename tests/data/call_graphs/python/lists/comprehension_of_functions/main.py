def jump():
    pass


def run():
    pass


results = [move() for move in [jump, run]]
