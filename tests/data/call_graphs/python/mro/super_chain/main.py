class Top:
    def run(self):
        pass


class Left(Top):
    def run(self):
        super().run()


class Right(Top):
    def run(self):
        super().run()


class Bottom(Left, Right):
    def run(self):
        super().run()


Bottom().run()
