def make():
    count = 0

    def bump():
        nonlocal count
        count = step(count)
        return count

    return bump


def step(value):
    return value + 1


bump = make()
bump()
