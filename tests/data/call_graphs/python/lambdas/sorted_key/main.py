def score(item):
    return item


sorted([2, 1], key=lambda item: score(item))
