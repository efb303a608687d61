def start():
    pass


def stop():
    pass


def both(begin, end):
    begin()
    end()


pair = (start, stop)
both(*pair)
