class Plugin:
    def __init__(self, hook):
        self.__dict__["hook"] = hook
        self.__dict__.update(later=late)

    def run(self):
        self.hook()

    def again(self):
        self.__dict__["later"]()

    def once_more(self):
        vars(self)["hook"]()
        vars(self).get("absent")


def first():
    pass


def late():
    pass


plugin = Plugin(first)
plugin.run()
plugin.again()
plugin.once_more()
