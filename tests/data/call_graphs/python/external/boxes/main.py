import contextvars
import queue
import weakref
from contextvars import ContextVar

import pytest


class Context:
    def close(self):
        pass


class Item:
    def handle(self):
        pass


class Fallback:
    def close(self):
        pass


class Broken(Exception):
    def explain(self):
        return ""


class Owner:
    def send(self):
        pass


current = contextvars.ContextVar("current")
typed: ContextVar[Context] = ContextVar("typed", default=None)
tasks = queue.Queue()


def enter():
    current.set(Context())


def leave():
    current.get(None).close()
    current.get(Fallback()).close()


def close_typed():
    found = typed.get()
    if found is not None:
        found.close()


def work():
    tasks.get().handle()


def fail(where):
    raise Broken(where)


def fail_again(where):
    raise Broken(where)


def check():
    with pytest.raises(Broken) as caught:
        fail(1)
    caught.value.explain()
    pytest.raises(Broken, fail_again, 2).value.explain()


def refer(owner):
    kept = weakref.ref(owner)
    kept().send()


enter()
leave()
close_typed()
tasks.put(Item())
work()
check()
the_owner = Owner()
refer(the_owner)
