def fast():
    pass


def safe():
    pass


def pick(flag):
    chosen = fast if flag else safe
    chosen()


pick(True)
pick(False)
