def paint():
    pass


def run(tool=None):
    chosen = tool
    chosen()


run(tool=paint)
