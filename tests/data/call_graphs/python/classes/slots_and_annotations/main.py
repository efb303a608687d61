class Engine:
    def start(self):
        pass


class Car:
    __slots__ = ("engine",)
    engine: Engine

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def go(self) -> None:
        self.engine.start()


def drive(car: "Car") -> None:
    car.go()


drive(Car(Engine()))
