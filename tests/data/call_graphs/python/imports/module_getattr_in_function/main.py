import lazy


def use():
    lazy.made()


def other():
    lazy.make()


use()
other()
