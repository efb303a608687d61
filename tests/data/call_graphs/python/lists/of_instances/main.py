class Cat:
    def speak(self):
        pass


class Dog:
    def speak(self):
        pass


for animal in [Cat(), Dog()]:
    animal.speak()
