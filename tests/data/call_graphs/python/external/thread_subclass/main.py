import threading
from threading import Thread


class Worker(threading.Thread):
    def run(self):
        self.step()

    def step(self):
        pass


class Other(Thread):
    def __init__(self):
        super().__init__()
        self.start()

    def run(self):
        pass


class Own(threading.Thread):
    def start(self):
        pass

    def run(self):
        pass


class NoThread:
    def run(self):
        pass


Worker().start()
Other()
Own().start()
if hasattr(NoThread, "start"):
    NoThread().start()
