def first():
    pass


def second():
    pass


def run(one, two):
    one()
    call(two)


def call(function):
    function()


run(two=second, one=first)
