def leaf():
    pass


steps = [lambda: leaf(), lambda: None]
steps[0]()
steps[1]()
