class Halt(Exception):
    def __init__(self):
        super().__init__("halt")


def stop():
    raise Halt


try:
    stop()
except Halt:
    pass
