def print(text):
    return text


def len(values):
    return 0


print(len([1]))
