class Tool:
    def table(self):
        return {"cut": self.cut}

    def cut(self):
        pass


Tool().table()["cut"]()
