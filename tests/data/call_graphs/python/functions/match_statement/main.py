def one():
    pass


def other():
    pass


def dispatch(value):
    match value:
        case 1:
            one()
        case _:
            other()


dispatch(1)
dispatch(2)
