class Saver:
    def save(self):
        return self.dump()


class Model:
    def dump(self):
        return "{}"


class User(Saver, Model):
    pass


User().save()
