def task():
    pass


def run():
    def task():
        pass

    task()


run()
task()
