def leaf():
    pass


first = lambda: leaf()
second = lambda: first()
third = lambda: second()
third()
