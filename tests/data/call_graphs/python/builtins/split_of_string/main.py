def split(text):
    return text.split(",")


def parse(text):
    return [part.strip() for part in split(text)]


def strip(text):
    return text


parse("a, b")
