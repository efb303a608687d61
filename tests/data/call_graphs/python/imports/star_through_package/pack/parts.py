def turn():
    pass


class Door:
    def close(self):
        pass
