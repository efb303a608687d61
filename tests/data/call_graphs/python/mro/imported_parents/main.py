from left import Left
from right import Right


class Both(Left, Right):
    def run(self):
        self.go()
        self.stop()


Both().run()
