class Radio:
    def play(self):
        pass


def listen(radio: Radio):
    radio.play()


listen(Radio())
