def cut():
    pass
