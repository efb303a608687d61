def listen():
    pass


def run(callback):
    callback()


options = {"callback": listen}
run(**options)
