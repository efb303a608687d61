def run():
    from helper import work

    work()


run()
