class Robot:
    def __init__(self):
        self.power = 1

    def walk(self):
        pass


Model = Robot
robot = Model()
robot.walk()
