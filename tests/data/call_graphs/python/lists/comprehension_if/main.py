def keep(number):
    return number > 0


def source():
    return [0, 1]


kept = [number for number in source() if keep(number)]
