def go():
    pass


moves = {}
moves["go"] = go
moves["go"]()
