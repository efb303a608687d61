def yes():
    pass


def no():
    pass


def run(flag):
    (yes if flag else no)()


run(True)
run(False)
