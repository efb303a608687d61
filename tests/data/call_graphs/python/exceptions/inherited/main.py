class Base(Exception):
    def __init__(self, text):
        self.text = text


class Special(Base):
    pass


def run():
    raise Special("special")


try:
    run()
except Base as error:
    print(error.text)
