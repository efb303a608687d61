from . import second
from .second import finish


def start():
    second.middle()
    finish()
