class Left:
    def __init__(self):
        self.left = True


class Right:
    def __init__(self):
        self.right = True


class Both(Right, Left):
    pass


Both()
