def load(self):
    pass
