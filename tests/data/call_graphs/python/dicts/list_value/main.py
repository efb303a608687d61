def first():
    pass


def second():
    pass


steps = {"all": [first, second]}
steps["all"][1]()
