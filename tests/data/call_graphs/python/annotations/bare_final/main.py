import state
from state import Holder
from state import state as current


def by_name():
    current.reset()


def by_module():
    state.state.reset()


def of_class():
    Holder.shared.reset()
    Holder().own.reset()


by_name()
by_module()
of_class()
