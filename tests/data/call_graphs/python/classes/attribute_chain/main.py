class Wheel:
    def spin(self):
        pass


class Axle:
    def __init__(self):
        self.wheel = Wheel()


class Cart:
    def __init__(self):
        self.axle = Axle()

    def move(self):
        self.axle.wheel.spin()


Cart().move()
