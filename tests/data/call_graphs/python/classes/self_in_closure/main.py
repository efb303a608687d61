class Button:
    def bind(self):
        def clicked():
            self.react()

        return clicked

    def react(self):
        pass


Button().bind()()
