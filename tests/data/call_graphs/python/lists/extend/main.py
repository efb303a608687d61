def one():
    pass


def two():
    pass


steps = [one]
steps.extend([two])
for step in steps:
    step()
