def wash():
    pass


def dry():
    pass


for step in [wash, dry]:
    step()
