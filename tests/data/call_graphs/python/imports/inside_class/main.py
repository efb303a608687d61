class Loader:
    from helper import load

    def run(self):
        return self.load()


Loader().run()
