def hook():
    pass


def run():
    run.hook()


run.hook = hook
run()
