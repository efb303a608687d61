def base():
    pass


alias = base


def run():
    alias()


run()
