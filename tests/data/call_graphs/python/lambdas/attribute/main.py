class Button:
    def __init__(self):
        self.callback = lambda: self.clicked()

    def clicked(self):
        pass


Button().callback()
