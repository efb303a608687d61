class Circle:
    def __init__(self):
        self.radius = 1

    def area(self):
        return self.square() * 3

    def square(self):
        return self.radius * self.radius
