def yes():
    pass


def no():
    pass


choose = lambda flag: yes() if flag else no()
choose(True)
choose(False)
