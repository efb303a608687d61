def one():
    pass


table = {one: 1}
for action in table:
    action()
