import ping


def back(count):
    ping.serve(count)
