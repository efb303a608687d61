class Failure(Exception):
    def __init__(self):
        super().__init__("failure")
