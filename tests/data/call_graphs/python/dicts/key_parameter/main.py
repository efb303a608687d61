def wake():
    pass


def sleep():
    pass


table = {"wake": wake, "sleep": sleep}


def run(key):
    table[key]()


run("wake")
run("sleep")
