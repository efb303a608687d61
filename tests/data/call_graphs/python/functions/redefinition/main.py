def step():
    return 1


step()


def last():
    return 2


step = last
step()
