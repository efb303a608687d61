from dataclasses import dataclass, field


def empty():
    return []


@dataclass
class Basket:
    items: list = field(default_factory=empty)

    def __post_init__(self):
        self.check()

    def check(self):
        pass


Basket([1])
