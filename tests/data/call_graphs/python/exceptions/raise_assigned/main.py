class Oops(Exception):
    def __init__(self):
        super().__init__("oops")


error = Oops
try:
    raise error()
except error:
    pass
