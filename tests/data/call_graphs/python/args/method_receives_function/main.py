class Runner:
    def start(self, action):
        return self.finish(action)

    def finish(self, action):
        return action()


def job():
    pass


Runner().start(job)
