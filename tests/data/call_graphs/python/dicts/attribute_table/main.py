def start():
    pass


class Panel:
    actions = {"start": start}

    def press(self, name):
        self.actions[name]()


Panel().press("start")
