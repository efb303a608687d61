from functools import singledispatch


@singledispatch
def show(value):
    return base(value)


def base(value):
    return "value"


show(1)
