def tick():
    pass


def clock():
    hand = None

    def wind():
        nonlocal hand
        hand = tick

    wind()
    hand()


clock()
