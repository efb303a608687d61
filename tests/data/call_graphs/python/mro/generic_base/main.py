from typing import Generic, TypeVar

T = TypeVar("T")


class Box(Generic[T]):
    def get(self):
        return self.open()

    def open(self):
        pass


class IntBox(Box[int]):
    pass


IntBox().get()
