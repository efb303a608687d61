def installed():
    pass


hook = None


def install():
    global hook
    hook = installed


def fire():
    hook()


install()
fire()
