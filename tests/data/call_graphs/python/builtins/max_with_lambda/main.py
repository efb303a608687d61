def weight(item):
    return item[1]


max([("a", 1), ("b", 2)], key=lambda item: weight(item))
