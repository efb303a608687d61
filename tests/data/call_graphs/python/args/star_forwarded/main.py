def add(left, right):
    return left + right


def forward(function, *values):
    return function(*values)


forward(add, 1, 2)
