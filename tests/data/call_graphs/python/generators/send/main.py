def echo():
    received = yield
    answer(received)
    yield


def answer(value):
    return value


channel = echo()
channel.send(None)
channel.send(1)
