def final():
    pass


def value():
    return final
