from typing import Callable


def compute():
    return 1


action: Callable[[], int] = compute
action()
