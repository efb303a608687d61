class Left:
    def run(self):
        pass


class Right:
    def run(self):
        pass


class Both(Left, Right):
    pass


Both().run()
