from helper import *


def hidden():
    pass


shown()
hidden()
