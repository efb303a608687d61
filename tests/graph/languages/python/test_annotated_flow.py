"""What annotations tell of the values at a call."""

import pytest

from helpers.python_calls import called

VARIABLE = "from typing import TypeVar, Optional, Type\nT = TypeVar('T')\n"
BOTH = "def use():\n    {}.price()\ndef other():\n    {}.price()\n"


@pytest.mark.parametrize(
    ("definition", "call"),
    [
        ("def same(x: T) -> T: return clean(x) or x", "same({}())"),
        ("def same(n, x: 'T' = None) -> 'T': return clean(x) or x", "same(1, x={}())"),
        ("def same(x: Optional[T]) -> T | None: return clean(x) or x", "same({}())"),
        ("def make(kind: type[T]) -> T: return kind()", "make({})"),
        ("def make(kind: Type[T], n: int) -> T: return build(kind) or kind()", "make({}, 1)"),
        ("class Till:\n    def make(self, kind: type[T]) -> T: return kind()", "Till().make({})"),
        ("def same[S](x: S) -> S: return clean(x) or x", "same({}())"),
        ("async def make(kind: type[T]) -> T: return kind()", "(await make({}))"),
        ("def pick(*kinds: type[T], n: int = 0) -> T | None: return found()", "pick(int, {})"),
        ("def pick(n, *things: T) -> T: return things[0]", "pick(1, 2, {}())"),
        ("def first(things: Sequence[T], n) -> T | None: return things[n]", "first([1, {}()], 1)"),
        ("def first(*things: list[T]) -> T: return things[0][0]", "first([], [{}()])"),
        ("def found(*kinds: type[T]) -> list[T]: return all_of(kinds)", "found({})[0]"),
        ("def found(kind: type[T]) -> Iterator[T]:\n    for each in [Item(), Other()]: yield each", "next(found({}))"),
        ("def found(kind: type[T]) -> tuple[T, ...]: return all_of(kind)", "found({}, 1)[n]"),
        ("def twice(x: T) -> list[T]: return [clean(x)] * 2", "twice({}())[0]"),
        ("def run(f: Callable[..., T], *given) -> T: return f(*given)", "run({})"),
        ("def run(f: Callable[[], Awaitable[T]]) -> T: return loop.run(f)", "run({})"),
        ("def noted(kind: type[T]) -> type[T]: return note(kind) or kind", "noted({})()"),
    ],
)
def test_a_type_variable_says_which_argument_comes_back(tmp_path, definition, call):
    text = f"from typing import Awaitable, Callable, Iterator, Sequence\n{VARIABLE}{definition}\n" + BOTH.format(
        call.format("Item"), call.format("Other")
    )
    if "await" in call:
        text = text.replace("def use", "async def use").replace("def other", "async def other")
    found = called(tmp_path, text)
    assert "Item.price" in found
    assert "Other.price" not in found


@pytest.mark.parametrize(
    ("definition", "call"),
    [
        ("def first(items: list[T], x: T) -> T: return items[0]", "first([Item()], None)"),
        ("def first(items: dict[str, T], x: T) -> T: return items['a']", "first({'a': Item()}, None)"),
        ("def first(*items: T) -> T: return items[0]", "first(*[Item()])"),
        ("def same(x: T) -> T: return x", "same(*[Item()])"),
    ],
)
def test_a_type_variable_that_may_come_from_elsewhere_says_nothing(tmp_path, definition, call):
    text = f"from typing import Callable\n{VARIABLE}{definition}\ndef use():\n    {call}.price()\n"
    assert "Item.price" in called(tmp_path, text)


def test_a_context_manager_gives_what_its_generator_yields(tmp_path):
    text = (
        f"from contextlib import contextmanager\nfrom typing import Iterator\n{VARIABLE}@contextmanager\n"
        "def held(x: T) -> Iterator[T]:\n    yield x\ndef use():\n    with held(Item()) as x:\n        x.price()\nheld(Other())\n"
    )
    assert "Item.price" in called(tmp_path, text, "use")
    assert "Other.price" not in called(tmp_path, text, "use")


def test_a_bound_excludes_values(tmp_path):
    text = (
        "from typing import TypeVar\nB = TypeVar('B', bound='Item')\nC = TypeVar('C', Item, int)\ndef use(x: B, y: C):\n    x.price()\n"
        "    y.price()\nuse(Item(), Other())\nuse(Other(), Item())\n"
    )
    assert called(tmp_path, text) == {"Item.price"}


def test_a_type_parameter_excludes_nothing(tmp_path):
    text = "def use[T](x: T):\n    x.price()\nuse(Item())\n"
    assert called(tmp_path, text) == {"Item.price"}


MIXED = "mixed = [Item(), Other()]\ntable = {1: Item(), 2: Other()}\npairs = [(Item(), Other())]\n"


@pytest.mark.parametrize(
    ("annotation", "argument", "body"),
    [
        ("list[Item]", "mixed", "for each in x: each.price()"),
        ("Iterable[Item]", "mixed", "for each in x: each.price()"),
        ("'Iterable[Item]'", "mixed", "[each.price() for each in x]"),
        ("list[Item] | None", "mixed", "x[0].price()"),
        ("dict[int, Item]", "table", "for each in x.values(): each.price()"),
        ("dict[int, Item]", "table", "for key, each in x.items(): each.price()"),
        ("Mapping[int, Item]", "table", "x[1 if x else 2].price()"),
        ("dict[int, Item]", "table", "x.get(n).price()"),
        ("Items", "mixed", "for each in x: each.price()"),
        ("list[tuple[Item, int]]", "pairs + [(Other(), 1)]", "for each, n in x: each.price()"),
        ("tuple[Item, Other]", "(Other(), Item())", "x[0].price()"),
    ],
)
def test_what_is_taken_out_of_a_container_is_what_its_annotation_says(tmp_path, annotation, argument, body):
    text = f"from typing import Iterable, Mapping\nItems = list[Item]\n{MIXED}def use(x: {annotation}, n=0):\n    {body}\nuse({argument})\n"
    assert called(tmp_path, text) == {"Item.price"}


def test_a_container_of_anything_excludes_nothing(tmp_path):
    text = f"from typing import Any\n{MIXED}def use(x: list[Any], y: list):\n    x[0].price()\n    y[1].price()\nuse(mixed, mixed)\n"
    assert called(tmp_path, text) == {"Item.price", "Other.price"}


PROTOCOL = "from typing import Protocol\nclass Maker(Protocol):\n    def __call__(self) -> Item: ...\n    def make(self) -> Item: ...\n    @property\n    def made(self) -> Item: ...\n"


@pytest.mark.parametrize(
    ("body", "methods"),
    [("x().price()", set()), ("x.make().price()", {"Maker.make"}), ("x.made.price()", {"Maker.made"})],
)
def test_a_protocol_is_called_where_nothing_else_is_known(tmp_path, body, methods):
    text = f"{PROTOCOL}def use(x: Maker):\n    {body}\n"
    assert called(tmp_path, text) == {"Item.price", *methods}


def test_a_protocol_is_not_called_where_it_is_known_what_runs(tmp_path):
    own = "class Own:\n    def make(self): return Item()\n"
    fixture = "import pytest\n@pytest.fixture\ndef x():\n    return Own()\n"
    text = f"{PROTOCOL}{own}{fixture}def test_use(x: Maker):\n    x.make().price()\n"
    assert called(tmp_path, text, "test_use") == {"Item.price", "Own.make"}


def test_a_class_of_that_name_is_no_protocol(tmp_path):
    text = "from twisted.internet.protocol import Protocol\nclass Own(Protocol):\n    def go(self): self.step()\n    def step(self): pass\n"
    assert called(tmp_path, text, "Own.go") == {"Own.step"}


def test_what_a_class_inherits_from_a_protocol_runs(tmp_path):
    text = "from typing import Protocol\nclass Base(Protocol):\n    def go(self): self.step()\n    def step(self): pass\nclass Own(Base): pass\ndef use():\n    Own().go()\n"
    assert called(tmp_path, text) == {"Base.go"}
    assert called(tmp_path, text, "Base.go") == {"Base.step"}
