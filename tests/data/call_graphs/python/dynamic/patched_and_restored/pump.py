class Pump:
    def run(self):
        pass


def start():
    Pump().run()
