def one():
    pass


def two():
    pass


steps = [step for step in (one, two) if step is not one]
for step in steps:
    step()
