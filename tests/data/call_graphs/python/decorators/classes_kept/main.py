def marked(label):
    def mark(kind):
        return note(kind, label)

    return mark


def note(kind, label):
    kind.label = label
    return kind


@marked("red")
class Red:
    def paint(self):
        return "red"


@marked("blue")
class Blue:
    def paint(self):
        return "blue"


def red():
    Red().paint()


def blue():
    Blue().paint()


red()
blue()
