class Json:
    def __init__(self):
        self.kind = "json"

    def dump(self):
        pass


writers = {"json": Json}
writer = writers["json"]()
writer.dump()
