def square(number, /):
    return number * number


def over(values, /, function):
    return [function(value) for value in values]


over([1, 2], square)
