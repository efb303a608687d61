handlers = []


def handler(function):
    handlers.append(function)
    return function


@handler
def first():
    pass


@handler
def second():
    pass


for function in handlers:
    function()
