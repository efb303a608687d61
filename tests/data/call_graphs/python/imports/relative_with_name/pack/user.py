from .tools import cut as slice_it


def use():
    slice_it()
