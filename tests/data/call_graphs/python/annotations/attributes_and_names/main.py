from __future__ import annotations

from dataclasses import dataclass
from typing import cast

Items = list["Item"]


class Item:
    def use(self):
        pass


class Other:
    def use(self):
        pass


def unknown(name):
    return eval(name)()


@dataclass
class Box:
    item: Item

    def run(self):
        self.item.use()


class Holder:
    first: Item

    def __init__(self):
        self.first = unknown("Item")
        self.second: Item = unknown("Item")

    def run(self):
        self.first.use()
        self.second.use()


def local():
    item: Item = unknown("Item")
    item.use()


def several() -> list[Item]:
    return [unknown("Item")]


def alias(items: Items):
    items[0].use()


def casts():
    cast("Item", unknown("Item")).use()


Box(unknown("Item")).run()
Holder().run()
local()
several()[0].use()
alias([unknown("Item")])
casts()
