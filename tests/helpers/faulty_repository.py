"""A repository with ten seeded faults and its own tests, the issues that report them, and the right answers of a model."""

import subprocess
import sys
from pathlib import Path

PATHS = {
    "money": '''"""Prices."""

from decimal import Decimal


def round_price(value):
    """Round to cents, half up."""
    return int(Decimal(value) * 100) / 100


def with_tax(price, rate):
    """Add a tax, given in percent."""
    return price + price * rate
''',
    "cart": '''"""What a customer has chosen."""

from shop.money import with_tax


class Cart:
    def __init__(self, items=[]):
        self.items = items

    def add(self, name, price):
        self.items.append((name, price))

    def total(self, rate=0):
        return with_tax(sum(price for _, price in self.items), rate)

    def cheapest(self):
        return max(self.items, key=lambda item: item[1])
''',
    "stock": '''"""What lies on the shelves."""


class Stock:
    def __init__(self):
        self.counts = {}

    def receive(self, name, count):
        self.counts[name] = count

    def take(self, name):
        if self.counts[name] > 1:
            self.counts[name] -= 1
            return name
        raise LookupError(f"{name} is sold out")
''',
    "text": '''"""Labels."""


def shorten(label, width):
    """At most `width` characters, the last an ellipsis if something was cut off."""
    return label if len(label) <= width else label[:width] + "…"


def initials(name):
    return "".join(part[0] for part in name.split(" "))
''',
    "dates": '''"""Opening times."""


def is_leap(year):
    return year % 4 == 0


def is_open(weekday, closed=("Sunday")):
    return weekday not in closed
''',
}
FILES = {f"shop/{name}.py": text for name, text in PATHS.items()} | {
    "shop/__init__.py": "",
    "README.md": "# Shop\n",
    "tests/__init__.py": "",
    "tests/test_shop.py": """import unittest

from shop import cart, dates, money, stock, text


class Tests(unittest.TestCase):
    def test_0(self):
        self.assertEqual(money.round_price("0.125"), 0.13)

    def test_1(self):
        self.assertEqual(money.with_tax(100, 20), 120)

    def test_2(self):
        cart.Cart().add("tea", 3)
        self.assertEqual(cart.Cart().items, [])

    def test_3(self):
        mine = cart.Cart([("tea", 3), ("milk", 1)])
        self.assertEqual(mine.cheapest(), ("milk", 1))

    def test_4(self):
        mine = stock.Stock()
        mine.receive("tea", 2)
        mine.receive("tea", 3)
        self.assertEqual(mine.counts["tea"], 5)

    def test_5(self):
        mine = stock.Stock()
        mine.receive("tea", 1)
        self.assertEqual(mine.take("tea"), "tea")

    def test_6(self):
        self.assertEqual(text.shorten("chamomile", 5), "cham…")

    def test_7(self):
        self.assertEqual(text.initials("Ada  King"), "AK")

    def test_8(self):
        self.assertFalse(dates.is_leap(1900))

    def test_9(self):
        self.assertTrue(dates.is_open("Sun"))
""",
}


def _edit(path: str, old: str, new: str) -> str:
    return f"The fault is here.\n\n{path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


# Title and text of an issue, the file, the lines there, and what they should be.
_FAULTS = [
    ("round_price cuts off", "`round_price('0.125')` is 0.12, not 0.13.", "money", "    return int(Decimal(value) * 100) / 100",
     "    return float(Decimal(value).quantize(Decimal(\"0.01\"), ROUND_HALF_UP))"),
    ("Tax is far too high", "with_tax(100, 20) is 2100. The rate is in percent.", "money", "    return price + price * rate",
     "    return price + price * rate / 100"),
    ("A new Cart has the items of the last one", "Cart() should be empty.", "cart",
     "    def __init__(self, items=[]):\n        self.items = items",
     "    def __init__(self, items=None):\n        self.items = [] if items is None else items"),
    ("Cart.cheapest gives the dearest item", "It should be the one with the lowest price.", "cart", "        return max(self.items, key=lambda item: item[1])",
     "        return min(self.items, key=lambda item: item[1])"),
    ("Stock.receive forgets what was there", "Receiving twice should add up.", "stock", "        self.counts[name] = count",
     "        self.counts[name] = self.counts.get(name, 0) + count"),
    ("The last piece cannot be taken", "LookupError: tea is sold out, although one is left. See `Stock.take`.", "stock",
     "        if self.counts[name] > 1:", "        if self.counts[name] > 0:"),
    ("shorten makes labels too long", "shorten('chamomile', 5) has six characters.", "text", '    return label if len(label) <= width else label[:width] + "…"',
     '    return label if len(label) <= width else label[: width - 1] + "…"'),
    ("initials fails for two blanks", 'File "shop/text.py", line 10, in initials\nIndexError: string index out of range', "text",
     '    return "".join(part[0] for part in name.split(" "))', '    return "".join(part[0] for part in name.split())'),
    ("1900 was no leap year", "is_leap(1900) should be False.", "dates", "    return year % 4 == 0",
     "    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)"),
    ("is_open('Sun') is False", "A part of a closed day's name counts as closed.", "dates", 'def is_open(weekday, closed=("Sunday")):', 'def is_open(weekday, closed=("Sunday",)):'),
]  # fmt: skip
ISSUES = [f"{title}\n\n{text}" for title, text, *_ in _FAULTS]
PATH_OF = [f"shop/{name}.py" for _, _, name, *_ in _FAULTS]
ANSWERS = [_edit(path, fault[3], fault[4]) for path, fault in zip(PATH_OF, _FAULTS, strict=True)]
ANSWERS[0] += (
    "\n<<<<<<< SEARCH\nfrom decimal import Decimal\n=======\nfrom decimal import ROUND_HALF_UP, Decimal\n>>>>>>> REPLACE\n"
)


def make_repository(root: Path) -> Path:
    """The repository with all its faults, committed once."""
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "Shop")
    return root


def git(root: Path, *arguments: str, data: str | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", root, *arguments], input=data, capture_output=True, check=True, encoding="utf-8"
    )
    return done.stdout


def failing_tests(root: Path) -> set[int]:
    """The numbers of the repository's own tests that fail."""
    command = [sys.executable, "-B", "-m", "unittest", "-v", "tests.test_shop"]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", timeout=60)
    lines = [line for line in done.stderr.splitlines() if line.startswith("test_") and " ... " in line]
    assert len(lines) == 10, done.stderr
    return {int(line[5]) for line in lines if not line.endswith("ok")}


def right_model(messages: list[dict]) -> str:
    """What a good model answers to any prompt of the chain."""
    prompt = messages[0]["content"]
    number = next(n for n, issue in enumerate(ISSUES) if f"> {issue.partition(chr(10))[0]}\n" in prompt)
    asked = "\n".join(line for line in prompt.split("\n") if not line.startswith(">"))
    if "<entities>" in asked:
        return f"<entities>\n{PATH_OF[number]}\n</entities>\n<keywords>\nprice\n</keywords>"
    if "<queries>" in asked:
        return "<queries>\nComputes what the issue speaks of.\n</queries>"
    if "<files>" in asked:
        return f"<files>\n{PATH_OF[number]}\n</files>"
    if "<score>" in asked:
        return f"<score>{5 if PATH_OF[number] in asked else 1}</score>"
    return ANSWERS[number]
