from . import tools
from .tools import hammer
