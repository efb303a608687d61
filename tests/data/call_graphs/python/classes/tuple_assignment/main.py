class Cat:
    def speak(self):
        pass


class Dog:
    def speak(self):
        pass


cat, dog = Cat(), Dog()
cat.speak()
dog.speak()
