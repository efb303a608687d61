from pack.tools import *

hammer()
