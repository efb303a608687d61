class Kit:
    @staticmethod
    def hammer():
        pass

    def saw(self):
        pass
