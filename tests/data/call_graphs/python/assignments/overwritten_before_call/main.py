def never():
    pass


def always():
    pass


def run():
    action = never
    action = always
    return action()


run()
