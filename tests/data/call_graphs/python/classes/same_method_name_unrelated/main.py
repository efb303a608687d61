class Reader:
    def close(self):
        pass


class Writer:
    def close(self):
        pass


def use():
    reader = Reader()
    reader.close()


use()
