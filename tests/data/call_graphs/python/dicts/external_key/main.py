from keys import NAME


def handler():
    pass


table = {NAME: handler}
table[NAME]()
