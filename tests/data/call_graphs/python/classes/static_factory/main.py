class Shape:
    @staticmethod
    def create():
        return Square()

    def area(self):
        raise NotImplementedError


class Square(Shape):
    def area(self):
        return 1


Shape.create().area()
