class Base:
    def help(self):
        pass
