def key():
    return "a"


def alpha():
    pass


def beta():
    pass


table = {"a": alpha, "b": beta}
table[key()]()
