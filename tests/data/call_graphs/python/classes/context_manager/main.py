class Guard:
    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.release()

    def release(self):
        pass

    def use(self):
        pass


with Guard() as guard:
    guard.use()
