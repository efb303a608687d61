import pong


def serve(count):
    if count:
        pong.back(count - 1)
