class Builder:
    def with_part(self):
        return type(self)()

    def done(self):
        pass


Builder().with_part().done()
