from .parts import *


def open_door():
    turn()
