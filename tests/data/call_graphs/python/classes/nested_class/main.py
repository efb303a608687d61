class Outer:
    class Inner:
        def __init__(self):
            self.value = helper()

        def read(self):
            return self.value

    def make(self):
        return self.Inner()


def helper():
    return 1


Outer().make().read()
Outer.Inner().read()
