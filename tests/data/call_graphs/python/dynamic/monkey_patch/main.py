def replacement(self):
    pass


class Pump:
    def run(self):
        pass


Pump.run = replacement
Pump().run()
