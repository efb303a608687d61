class Shape:
    area = lambda self: self.side() ** 2

    def side(self):
        return 2


Shape().area()
