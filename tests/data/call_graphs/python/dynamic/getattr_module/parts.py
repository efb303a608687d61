def build():
    pass


def destroy():
    pass
