def leaf():
    pass


run = lambda action=leaf: action()
run()
