class Kind:
    def run(self):
        pass
