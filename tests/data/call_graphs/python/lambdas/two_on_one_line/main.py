def low():
    pass


def high():
    pass


pair = (lambda: low(), lambda: high())
pair[1]()
