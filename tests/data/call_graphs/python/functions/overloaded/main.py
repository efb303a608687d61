from typing import overload


class A:
    def use(self):
        pass


@overload
def pick(kind: int) -> int: ...


@overload
def pick(kind: str) -> A: ...


def pick(kind):
    return A()


pick("a").use()
