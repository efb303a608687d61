from enum import Enum


class Colour(Enum):
    RED = 1

    def hex(self):
        return self.code()

    def code(self):
        return "f00"


Colour.RED.hex()
