class Right:
    def go(self):
        pass

    def stop(self):
        pass
