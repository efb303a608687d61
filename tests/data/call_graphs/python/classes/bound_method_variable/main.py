class Door:
    def open(self):
        self.creak()

    def creak(self):
        pass


handle = Door().open
handle()
