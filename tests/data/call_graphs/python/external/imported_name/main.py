from os.path import join


def locate(name):
    return join("a", name)


locate("b")
