class Maths:
    @staticmethod
    def half(value):
        return value / 2

    def quarter(self, value):
        return self.half(self.half(value))


Maths.half(4)
Maths().quarter(8)
