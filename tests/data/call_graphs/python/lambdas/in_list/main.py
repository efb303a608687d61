def leaf():
    pass


steps = [lambda: leaf(), lambda: str()]
steps[0]()
steps[1]()
