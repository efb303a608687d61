from functools import cache


@cache
def fib(number):
    return number if number < 2 else fib(number - 1) + fib(number - 2)


fib(3)
