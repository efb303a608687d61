def one():
    pass


def two():
    pass


steps = [one]
steps.insert(0, two)
for step in reversed(steps):
    step()
