def hit():
    pass


first = {"hit": hit}
second = first
second["hit"]()
