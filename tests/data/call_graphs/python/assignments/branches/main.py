import sys


def small():
    pass


def large():
    pass


if sys.maxsize > 2:
    action = large
else:
    action = small
action()
