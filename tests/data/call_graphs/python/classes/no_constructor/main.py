class Empty:
    def touch(self):
        pass


Empty().touch()
