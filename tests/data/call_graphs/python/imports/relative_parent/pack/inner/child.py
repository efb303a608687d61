from .. import root
from ..common import shared


def grow():
    root()
    shared()
