class Proxy:
    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        return self.target


proxy = Proxy(1)
proxy.anything
