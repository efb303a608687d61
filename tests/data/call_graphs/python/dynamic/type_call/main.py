def greet(self):
    pass


Greeter = type("Greeter", (), {"greet": greet})
Greeter().greet()
