class Adder:
    def __init__(self, step):
        self.step = step

    def __call__(self, value):
        return value + self.step


add = Adder(2)
add(3)
