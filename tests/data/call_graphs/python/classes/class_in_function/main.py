def build():
    class Local:
        def speak(self):
            return "local"

    return Local()


build().speak()
