def bold(function):
    def wrap_bold():
        return function()

    return wrap_bold


def italic(function):
    def wrap_italic():
        return function()

    return wrap_italic


@bold
@italic
def text():
    return "x"


text()
