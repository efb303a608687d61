def hidden():
    pass


def run():
    exec("hidden()")


run()
