def base_action():
    pass


def child_action():
    pass


class Base:
    action = staticmethod(base_action)

    def run(self):
        self.action()


class Child(Base):
    action = staticmethod(child_action)


Child().run()
