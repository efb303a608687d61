def one():
    pass


def two():
    pass


for step in [one] + [two]:
    step()
