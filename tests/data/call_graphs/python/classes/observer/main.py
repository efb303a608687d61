class Subject:
    def __init__(self):
        self.listeners = []

    def attach(self, listener):
        self.listeners.append(listener)

    def notify(self):
        for listener in self.listeners:
            listener.update()


class Screen:
    def update(self):
        pass


subject = Subject()
subject.attach(Screen())
subject.notify()
