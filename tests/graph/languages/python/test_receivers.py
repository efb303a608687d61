"""What stands before the dot: attributes by their annotations, `self` of methods that nobody calls, parameters of foreign types."""

import pytest

from helpers.python_calls import called


@pytest.mark.parametrize(
    "attribute",
    [
        "    x: Item = None\n",
        "    x: 'Item | None'\n",
        "    def __init__(self):\n        self.x: Item = None\n",
    ],
)
@pytest.mark.parametrize("holder", ["Holder", "Below"])
def test_an_attribute_holds_what_its_annotation_says(tmp_path, attribute, holder):
    text = f"class Holder:\n{attribute}    def set(self, value):\n        self.x = value\nclass Below(Holder): pass\nheld = {holder}()\nheld.set(Item())\nheld.set(Other())\n"
    assert called(tmp_path, f"{text}def use():\n    held.x.price()\n") == {"Item.price"}


@pytest.mark.parametrize("attribute", ["    x = None\n", "    x: object = None\n", "    x: 'Unknown.Item' = None\n"])
def test_an_attribute_without_a_telling_annotation_holds_anything(tmp_path, attribute):
    text = f"class Unknown: pass\nclass Holder:\n{attribute}held = Holder()\nheld.x = Item()\nheld.x = Other()\ndef use():\n    held.x.price()\n"
    assert called(tmp_path, text) == {"Item.price", "Other.price"}


def test_an_attribute_of_a_subclass_is_its_own(tmp_path):
    text = (
        "class Holder:\n    x: Item = None\nclass Below(Holder):\n    x = Other()\ndef use():\n    Below().x.price()\n"
    )
    assert "Other.price" in called(tmp_path, text)


def test_a_method_that_is_given_no_object_has_one_of_its_class(tmp_path):
    text = "class Till:\n    def use(self): self.open()\n    def open(self): pass\ndef run(function): function(3)\ndef other(): pass\nrun(Till.use)\n"
    assert called(tmp_path, f"{text}Till.use(other)\n", "Till.use") == {"Till.open"}


def test_what_decorates_in_a_class_is_no_method(tmp_path):
    text = "class Till:\n    def deco(function):\n        function.price()\n        return function\n    @deco\n    def open(self): pass\n    def price(self): pass\n"
    assert called(tmp_path, text, "Till.deco") == set()


MARK = """def marker(kind):
    def deco(arg):
        if callable(arg):
            found = arg
            note(arg)
        elif isinstance(arg, str):
            def mark(function):
                return function
            found = mark
        return found
    return deco
line = marker("line")
"""


@pytest.mark.parametrize("decorated", ["@line", "@line('x')"])
def test_a_mark_with_a_name_or_without_yields_what_it_marks(tmp_path, decorated):
    text = (
        f"{MARK}class Till:\n    {decorated}\n    def one(self): return Item()\n    def use(self): self.one().price()\n"
    )
    assert called(tmp_path, text, "Till.use") == {"Till.one", "Item.price"}


@pytest.mark.parametrize(("annotation", "found"), [("", True), (": asyncio.Task", False), (": 'asyncio.Task | None'", False)])  # fmt: skip
def test_a_parameter_of_a_foreign_type_has_no_method_of_the_project(tmp_path, annotation, found):
    text = f"import asyncio\nclass Till:\n    def get_name_of(self): pass\ndef use(task{annotation}):\n    task.get_name_of()\n"
    assert called(tmp_path, text) == ({"Till.get_name_of"} if found else set())


@pytest.mark.parametrize("declared", ["self: T) -> T", "self) -> Self", "self) -> 'Self'"])
@pytest.mark.parametrize(
    ("body", "is_own"),
    [
        ("return super().copy()", True),
        ("made = super().copy()\n        made.n = 3\n        return made", True),
        ("if self.n:\n            return None\n        return super().copy()", True),
        ("return super().other()", False),
        ("return self.kept or super().copy()", False),
    ],
)
def test_an_override_that_returns_what_super_does_returns_an_object_of_the_receivers_class(
    tmp_path, declared, body, is_own
):
    text = (
        f"from typing import Self, TypeVar\nT = TypeVar('T')\nclass Base:\n    kept = Item()\n    def copy({declared}: return made(self)\n"
        f"    def other(self): return self\nclass Mid(Base):\n    def copy(self):\n        {body}\nclass A(Mid):\n    def price(self): pass\n"
        "class B(Mid):\n    def price(self): pass\ndef use(): A().copy().price()\ndef rest(): B().copy().price()\n"
    )
    found = called(tmp_path, text)
    assert "A.price" in found
    assert ("B.price" in found) is not is_own
