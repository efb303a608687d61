class Upper:
    def __get__(self, instance, owner):
        return instance.raw()


class Name:
    value = Upper()

    def raw(self):
        return "x"


Name().value
