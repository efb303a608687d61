class Yes:
    def __bool__(self):
        return True

    def __len__(self):
        return 1


class Sized:
    def __len__(self):
        return 1


class Plain:
    def __init__(self):
        pass


def if_(value):
    if value:
        pass


def elif_(value):
    if 1 > 2:
        pass
    elif value:
        pass


def while_(value):
    while value:
        break


def not_(value):
    return not value


def and_(value):
    return value and 1


def last_of_and(value):
    return 1 and value


def conditional(value):
    return 1 if value else 2


def asserted(value):
    assert value, str(1)


def comprehension(value):
    return [1 for _ in (1,) if value]


def guard(value):
    match 1:
        case 1 if value:
            pass


def is_none(value):
    return value is None


if_(Yes())
if_(Plain())
elif_(Sized())
while_(Yes())
not_(Yes())
and_(Yes())
last_of_and(Yes())
conditional(Yes())
asserted(Yes())
comprehension(Yes())
guard(Yes())
is_none(Yes())
