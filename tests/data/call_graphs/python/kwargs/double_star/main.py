def wake():
    pass


def run(**handlers):
    handlers["morning"]()


run(morning=wake)
