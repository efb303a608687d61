class Cat:
    def speak(self):
        pass


pets = {"cat": Cat()}
pets["cat"].speak()
