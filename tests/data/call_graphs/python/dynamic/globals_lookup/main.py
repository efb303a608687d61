def found():
    pass


globals()["found"]()
