from collections.abc import Callable, Iterable
from typing import Optional, Union


class Item:
    def use(self):
        pass


class Other:
    def use(self):
        pass


def from_list(items: list[Item]):
    for item in items:
        item.use()


def from_dict(items: dict[str, Item]):
    items["a"].use()


def from_iterable(items: "Iterable[Item]"):
    for item in items:
        item.use()


def from_tuple(pair: tuple[Item, Other]):
    pair[0].use()


def from_type(kind: type[Item]):
    kind().use()


def from_callable(make: Callable[[], Item]):
    make().use()


def from_optional(item: Optional[Item], other: Union[Item, None] = None, third: "Item | None" = None):
    item.use()


def outside(function, *arguments):
    """Calls as a library would: by a name that nothing tells."""
    globals()[function](*arguments)


def made(kind):
    return eval(kind)()


outside("from_" + "list", [made("Item")])
outside("from_" + "dict", {"a": made("Item")})
outside("from_" + "iterable", [made("Item")])
globals()["from_" + "callable"](eval("Item"))
outside("from_" + "tuple", (made("Item"), made("Other")))
outside("from_" + "type", eval("Item"))
outside("from_" + "optional", made("Item"))
