def loud(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Tool:
    @staticmethod
    @loud
    def cut():
        pass

    @classmethod
    @loud
    def make(cls):
        cls.cut()


Tool.make()
