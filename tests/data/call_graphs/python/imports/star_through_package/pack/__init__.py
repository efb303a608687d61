from .doors import *
