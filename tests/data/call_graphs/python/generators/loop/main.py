def numbers():
    yield one()


def one():
    return 1


for number in numbers():
    print(number)
