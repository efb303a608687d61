from collections import defaultdict


def act():
    pass


groups = defaultdict(list)
groups["x"].append(act)
for action in groups["x"]:
    action()
