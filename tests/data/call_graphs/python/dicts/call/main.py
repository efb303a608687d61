def save():
    pass


actions = {"save": save}
actions["save"]()
