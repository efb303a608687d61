def yes():
    pass


def no():
    pass


def decide(flag):
    if flag:
        return yes
    return no


decide(True)()
decide(False)()
