class Pipeline:
    def __init__(self):
        self.steps = [self.clean, self.split]

    def clean(self):
        pass

    def split(self):
        pass

    def run(self):
        for step in self.steps:
            step()


Pipeline().run()
