def kind():
    class Local:
        def __init__(self):
            self.value = 1

    return Local


kind()()
