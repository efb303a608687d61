"""Which methods operators call: the left operand's, the right one's, or those for an assignment in place."""

import pytest

from helpers.python_calls import called

LEFT = "class Left:\n    def __add__(self, other): return Item()\n    def __lt__(self, other): return True\n"
BOTH = "class Both:\n    def __add__(self, other): return Item()\n    def __radd__(self, other): return Item()\n"
RIGHT = "class Right:\n    def __radd__(self, other): return Item()\n    def __gt__(self, other): return True\n    def __eq__(self, other): return True\n"
PLACE = "class Place:\n    def __add__(self, other): return Other()\n    def __iadd__(self, other): return Item()\n"
CLASSES = LEFT + BOTH + RIGHT + PLACE


@pytest.mark.parametrize(
    ("expression", "method"),
    [
        ("Left() + 1", "Left.__add__"),
        ("Left() + 'x'", "Left.__add__"),
        ("'x' + Right()", "Right.__radd__"),
        ("1 + Right()", "Right.__radd__"),
        ("unknown + Right()", "Right.__radd__"),
        ("Both() + Both()", "Both.__add__"),
        ("Left() + Right()", "Left.__add__"),
        ("Right() + Right()", "Right.__radd__"),
        ("[1] + Right()", "Right.__radd__"),
    ],
)
def test_an_operator_calls_the_right_operand_where_the_left_one_has_no_method(tmp_path, expression, method):
    text = f"{CLASSES}def use():\n    ({expression}).price()\n"
    assert called(tmp_path, text) == {method, "Item.price"}


def test_the_reflected_method_is_given_the_left_operand(tmp_path):
    text = "class Right:\n    def __radd__(self, other):\n        other.price()\ndef use():\n    Item() + Right()\n"
    assert called(tmp_path, text, "Right.__radd__") == {"Item.price"}


@pytest.mark.parametrize(("kind", "method", "result"), [("Place", "__iadd__", "Item"), ("Both", "__add__", "Item")])
def test_an_assignment_in_place_calls_one_method(tmp_path, kind, method, result):
    text = (
        f"{CLASSES}def use():\n    x = {kind}()\n    x += 1\n    x = x\n    y = {kind}()\n    y += y\n    y.price()\n"
    )
    assert called(tmp_path, text) == {f"{kind}.{method}", f"{result}.price"}


@pytest.mark.parametrize(
    ("expression", "methods"),
    [("1 < Right()", {"Right.__gt__"}), ("'x' == Right()", {"Right.__eq__"}), ("1 > Left()", {"Left.__lt__"}), ("1 >= Left()", set())],
)  # fmt: skip
def test_a_literal_is_compared_by_the_mirrored_method(tmp_path, expression, methods):
    text = f"{CLASSES}def use():\n    return {expression}\n"
    assert called(tmp_path, text) == methods


def test_parts_of_names_are_still_joined(tmp_path):
    text = "def use(kind):\n    getattr(Item(), 'pr' + 'ice')()\n"
    assert "Item.price" in called(tmp_path, text)
