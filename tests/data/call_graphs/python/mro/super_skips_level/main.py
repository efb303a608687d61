class Top:
    def run(self):
        pass


class Middle(Top):
    pass


class Last(Middle):
    def run(self):
        super().run()


Last().run()
