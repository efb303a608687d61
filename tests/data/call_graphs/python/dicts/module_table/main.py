from table import ACTIONS

ACTIONS["open"]()
