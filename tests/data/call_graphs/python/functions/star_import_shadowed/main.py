from library import *


def act():
    return "mine"


act()
