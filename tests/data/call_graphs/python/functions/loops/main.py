def items():
    return [1]


def more():
    return False


def body():
    pass


def after():
    pass


for item in items():
    body()
while more():
    break
else:
    after()
