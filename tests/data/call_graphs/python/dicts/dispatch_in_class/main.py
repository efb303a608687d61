class Machine:
    def __init__(self):
        self.table = {"on": self.turn_on, "off": self.turn_off}

    def turn_on(self):
        pass

    def turn_off(self):
        pass

    def do(self, command):
        self.table[command]()


machine = Machine()
machine.do("on")
machine.do("off")
