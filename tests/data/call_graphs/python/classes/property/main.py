class Circle:
    def __init__(self, radius):
        self._radius = radius

    @property
    def radius(self):
        return self._radius

    @radius.setter
    def radius(self, value):
        self._radius = clamp(value)


def clamp(value):
    return max(value, 0)


circle = Circle(2)
circle.radius = -1
circle.radius
