def ping():
    pass


def pong():
    pass


def call_all(*actions):
    for action in actions:
        action()


call_all(ping, pong)
