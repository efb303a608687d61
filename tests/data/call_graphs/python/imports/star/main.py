from helper import *

work()
rest()
