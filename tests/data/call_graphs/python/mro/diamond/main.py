class Top:
    def run(self):
        pass


class Left(Top):
    pass


class Right(Top):
    def run(self):
        pass


class Bottom(Left, Right):
    pass


Bottom().run()
