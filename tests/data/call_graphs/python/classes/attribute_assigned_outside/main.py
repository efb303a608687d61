def cheer():
    pass


class Fan:
    pass


fan = Fan()
fan.shout = cheer
fan.shout()
