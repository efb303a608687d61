def one():
    pass


def two():
    pass


def run(steps, index):
    steps[index]()


run([one, two], 0)
run([one, two], 1)
