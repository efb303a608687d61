def counter():
    def increase():
        return step()

    return increase


def step():
    return 1


tick = counter()
tick()
