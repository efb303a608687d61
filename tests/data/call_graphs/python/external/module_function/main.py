import math


def root(value):
    return math.sqrt(value)


root(4)
