def read():
    yield "a"


def clean(lines):
    for line in lines:
        yield strip(line)


def strip(line):
    return line


for line in clean(read()):
    print(line)
