def one():
    pass


steps = {one}
for step in steps:
    step()
