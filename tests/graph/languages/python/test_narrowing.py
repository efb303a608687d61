"""What `isinstance` tells of the values of a name."""

import pytest

from helpers.python_calls import called

CALLS = "use(Item(), Other())\nuse(Other(), Item())\n"


@pytest.mark.parametrize(
    "body",
    [
        "if isinstance(x, Item):\n        x.price()",
        "if y and isinstance(x, Item) and y:\n        x.price()",
        "if isinstance(x, Item) and x.price():\n        pass",
        "if y:\n        pass\n    elif (isinstance(x, Item)):\n        x.price()",
        "if not isinstance(x, Item):\n        return\n    x.price()",
        "if y or not isinstance(x, Item):\n        raise ValueError\n    x.price()",
        "assert isinstance(x, Item)\n    x.price()",
        "return x.price() if isinstance(x, Item) else 1",
        "return isinstance(x, Item) and x.price()",
        "return y and isinstance(x, Item) and y and x.price()",
        "return [z.price() for z in (x, y) if isinstance(z, Item)]",
        "for z in (x, y):\n        if not isinstance(z, Item):\n            continue\n        z.price()",
        "if isinstance(x, (Item, str)):\n        x.price()",
        "if isinstance(x, Item | int):\n        x.price()",
        "while True:\n        if isinstance(x, Item):\n            return x.price()",
    ],
)
def test_values_of_other_classes_do_not_pass(tmp_path, body):
    assert called(tmp_path, f"def use(x, y):\n    {body}\n{CALLS}") == {"Item.price"}


@pytest.mark.parametrize(
    "body",
    [
        "if isinstance(x, Item):\n        pass\n    x.price()",
        "if isinstance(x, Item) or y:\n        x.price()",
        "if not isinstance(x, Item):\n        y = 1\n    x.price()",
        "if isinstance(x, Item):\n        x = y\n    x.price()",
        "if isinstance(x, kind):\n        x.price()",
        "if not isinstance(x, Item) and y:\n        return\n    x.price()",
    ],
)
def test_where_it_does_not_hold_all_values_pass(tmp_path, body):
    assert called(tmp_path, f"def use(x, y, kind=None):\n    {body}\n{CALLS}") == {"Item.price", "Other.price"}


def test_the_class_of_something_unknown(tmp_path):
    assert called(tmp_path, "def use(x):\n    if isinstance(x, Item):\n        x.price()\n") == {"Item.price"}


def test_what_is_returned_is_still_the_argument(tmp_path):
    text = "def same(x):\n    if isinstance(x, Item):\n        return x\ndef use():\n    same(Item()).price()\nsame(Other())\n"
    assert called(tmp_path, text) == {"Item.price", "same"}


@pytest.mark.parametrize(
    ("bases", "kind", "fits"),
    [
        ("ValueError", "Exception", True),
        ("OrderedDict", "dict", True),
        ("OrderedDict", "list", False),
        ("ValueError", "OSError", False),
    ],
)
def test_classes_outside_the_project(tmp_path, bases, kind, fits):
    text = f"from collections import OrderedDict\nclass Own({bases}):\n    def go(self): pass\ndef use(x):\n    if isinstance(x, {kind}):\n        x.go()\nuse(Own())\n"
    assert called(tmp_path, text) == ({"Own.go"} if fits else set())
