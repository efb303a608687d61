class Left:
    def go(self):
        pass
