class Lamp:
    def light(self):
        pass


lamp = Lamp()
switch = Lamp.light
switch(lamp)
