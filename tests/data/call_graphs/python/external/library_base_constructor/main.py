import threading


class Worker(threading.Thread):
    def __init__(self):
        super().__init__()
        self.setup()

    def setup(self):
        pass


Worker().name
