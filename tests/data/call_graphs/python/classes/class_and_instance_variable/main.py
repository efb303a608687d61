def shared():
    pass


def own():
    pass


class Box:
    action = [shared]

    def replace(self):
        self.action = [own]


box = Box()
box.action[0]()
box.replace()
box.action[0]()
