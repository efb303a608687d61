class Engine:
    def start(self):
        return "started"

    def stop(self):
        return "stopped"


class Proxy:
    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.target, name)


def start():
    Proxy(Engine()).start()


def stop():
    Proxy(Engine()).stop()


start()
stop()
