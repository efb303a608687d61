def leaf():
    pass


(lambda: leaf())()
