class Gear:
    def turn(self):
        return 1


gear = Gear()
other = type(gear)()
other.turn()
