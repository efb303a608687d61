from typing import ClassVar, Final


class State:
    def reset(self):
        pass


class Holder:
    shared: ClassVar = State()
    own: "Final" = State()


state: Final = State()
