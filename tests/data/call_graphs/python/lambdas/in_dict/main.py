def add(left, right):
    return left + right


operations = {"+": lambda left, right: add(left, right)}
operations["+"](1, 2)
