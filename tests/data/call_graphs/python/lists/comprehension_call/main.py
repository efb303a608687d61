def value(number):
    return number


values = [value(number) for number in range(2)]
