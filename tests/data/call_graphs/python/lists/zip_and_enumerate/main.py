def one():
    pass


def two():
    pass


for index, step in enumerate([one]):
    step()
for step, _ in zip([two], [1]):
    step()
