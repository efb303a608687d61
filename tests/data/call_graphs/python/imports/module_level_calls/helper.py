def make():
    return 1


VALUE = make()
