"""Locating without a language model: what an issue names, and what it only describes."""

import numpy as np
import pytest

from codefuse_hf.cli import main
from codefuse_hf.graph import build_code_graph
from codefuse_hf.repair import Locator, Places, Ranking, read_issue
from codefuse_hf.repair.evidence import KINDS

FILES = {
    "shop/__init__.py": "from .cart import Cart\n",
    "shop/cart.py": (
        "from .money import round_price\n\n\nclass Cart:\n    def total(self):\n        return round_price(sum(self.prices))\n\n"
        "    def empty(self):\n        self.prices = []\n"
    ),
    "shop/money.py": (
        'def round_price(value):\n    """Round to cents, half up."""\n    return int(value * 100) / 100\n\n\n'
        "def parse_currency(text):\n    if not text:\n        raise ValueError('a currency code has three letters')\n    return text.upper()\n"
    ),
    "shop/mail.py": "def send_receipt(address, cart):\n    return address, cart.total()\n",
    "vendor/money/rounding.py": "def round_price(value):\n    return value\n",
    "tests/test_money.py": "from shop.money import round_price\n\n\ndef test_half_up():\n    assert round_price(0.125) == 0.13\n",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("shop")
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Places.from_graph(build_code_graph(root, workers=0, progress=False))


@pytest.mark.parametrize(
    ("issue", "path", "unit"),
    [
        ("Prices are cut off\n`round_price(0.125)` gives 0.12 instead of 0.13", "shop/money.py", "round_price"),
        ("Receipts are never sent\nThe mail to the customer has no total.", "shop/mail.py", "send_receipt"),
        ("Crash\nValueError: a currency code has three letters", "shop/money.py", "parse_currency"),
        (
            'Crash\n  File "/home/me/shop/cart.py", line 5, in total\n    return 1\nTypeError: no',
            "shop/cart.py",
            "Cart.total",
        ),
        ("Old prices stay in shop.cart.Cart.empty\nI call it twice.", "shop/cart.py", "Cart.empty"),
        ("Something is wrong in shop\\mail.py\nNo idea what.", "shop/mail.py", "send_receipt"),
    ],
)
def test_the_place_comes_first(places, issue, path, unit):
    ranking = Locator(places).locate(issue)
    assert ranking.files[0].path == path
    assert (ranking.units[0].path, ranking.units[0].name) == (path, unit)
    assert ranking.files[0].reasons


def test_tests_are_not_ranked_but_tell_what_they_test(places):
    ranking = Locator(places).locate("half up\nThe case test_half_up fails.")
    assert ranking.files[0].path == "shop/money.py"
    assert not any("test" in each.path for each in ranking.files)
    assert "is tested by tests/test_money.py" in ranking.files[0].reasons


def test_the_last_project_frame_comes_before_a_file_with_many(places):
    frames = [
        ("mail.py", 2, "send_receipt"),
        ("cart.py", 5, "total"),
        ("cart.py", 8, "empty"),
        ("money.py", 3, "round_price"),
    ]
    trace = "".join(f'  File "/home/me/shop/{path}", line {line}, in {name}\n' for path, line, name in frames)
    scores = KINDS["tracebacks"](read_issue(f'It stops\n{trace}  File "/usr/lib/json.py", line 1, in load\n'), places)
    assert [places.paths[file] for file in np.argsort(-scores.files)[:3]] == [
        "shop/money.py",
        "shop/cart.py",
        "shop/mail.py",
    ]
    assert places.units[int(scores.units.argmax())].name == "round_price"


def test_modules_are_named_from_their_outermost_package(tmp_path):
    for path in ("lib/shop/__init__.py", "lib/shop/pay/__init__.py", "lib/shop/pay/card.py", "src/other.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("limit = 1\n")
    places = Places.from_graph(build_code_graph(tmp_path, workers=0, progress=False))
    for name, path in (("shop.pay.card", "lib/shop/pay/card.py"), ("shop.pay", "lib/shop/pay/__init__.py")):
        found = KINDS["dotted_names"](read_issue(f"Refused\nI use {name}.limit of it"), places)
        assert places.paths[int(found.files.argmax())] == path


@pytest.mark.parametrize(
    ("issue", "path", "unit"),
    [
        ("shop --dry-run still sends\nIt should only print.", "shop/cli.py", "run"),
        ("The setting mail-from is ignored\nAs it says.", "shop/settings.py", "read"),
        ("E1234 for a good file\nWhy?", "shop/checks.py", "Checker.message"),
    ],
)
def test_constants_lead_to_the_places_that_hold_them(tmp_path, issue, path, unit):
    files = {
        "shop/cli.py": "def other():\n    return 1\n\n\ndef run(parser):\n    parser.add_argument('--dry-run')\n",
        "shop/settings.py": "def read(values):\n    return values['mail-from']\n",
        "shop/checks.py": "class Checker:\n    def message(self):\n        return {'E1234': 'bad'}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    places = Places.from_graph(build_code_graph(tmp_path, workers=0, progress=False))
    found = KINDS["literals"](read_issue(issue), places)
    assert places.paths[int(found.files.argmax())] == path and (found.files > 0).sum() == 1
    assert places.units[int(found.units.argmax())].name == unit


def test_bold_names_are_what_markdown_made_of_underscores():
    issue = read_issue("No hooks\nthe code in Request.**init**() is **wrong**")
    assert "Request.__init__" in issue.dotted_names and "wrong" not in issue.code_names


def test_places_come_back_from_their_file(places, tmp_path):
    places.save(tmp_path / "places.safetensors")
    issue = "Prices are cut off\n`round_price(0.125)` gives 0.12"
    again = Places.load(tmp_path / "places.safetensors")
    assert Locator(again).locate(issue) == Locator(places).locate(issue)
    assert [path.name for path in tmp_path.iterdir()] == ["places.safetensors"]


def test_a_file_that_holds_no_places_is_refused(tmp_path):
    (tmp_path / "places.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ValueError, match=r"holds no places of a repository.*delete it"):
        Places.load(tmp_path / "places.safetensors")


def test_a_ranking_comes_back_from_json(places):
    ranking = Locator(places).locate("total\nis wrong")
    assert Ranking.from_json(ranking.to_json()) == ranking
    with pytest.raises(ValueError, match="no Ranking"):
        Ranking.from_json('{"files": [1]}')


def test_unknown_evidence_is_named(places):
    with pytest.raises(ValueError, match="unknown evidence 'magic'"):
        Locator(places, weights={"magic": 1.0})


def test_what_forms_of_bug_trackers_add_is_left_out():
    issue = read_issue(
        "Broken total\n<!-- describe the bug -->\n- [x] I searched\n### Versions\nshop 1.0\n### Description\n"
        "The `total` is wrong, see https://example.org/money\n<details>\n$ pip list\nmoney 1.2.3\n</details>"
    )
    assert (issue.title, issue.inline) == ("Broken total", ("total",))
    assert not {"searched", "describe", "Versions", "money", "example"} & set(issue.identifiers)


def test_tracebacks_of_several_shells_are_read():
    text = (
        'Crash\n  File "a/b.py", line 3, in run\n    x\nFile ~/site/c.py:841, in Plot._plot(self)\n'
        "src/d.py:12: in helper\n    y\n\tat org.shop.Cart.total(Cart.java:7)\n"
    )
    frames = [(frame.path, frame.line, frame.name) for frame in read_issue(text).frames]
    assert frames == [
        ("a/b.py", 3, "run"),
        ("~/site/c.py", 841, "_plot"),
        ("src/d.py", 12, "helper"),
        ("org/shop/Cart.java", 7, "total"),
    ]


def test_an_empty_issue_is_refused():
    with pytest.raises(ValueError, match="the issue is empty"):
        read_issue(" \n")


def test_places_are_kept_while_the_sources_stay_as_they_are(tmp_path, monkeypatch):
    root, cache = tmp_path / "shop", tmp_path / "cache"
    root.mkdir()
    (root / "money.py").write_text(FILES["shop/money.py"])
    first = Locator.for_repository(root, cache=cache, workers=0, progress=False).locate("round_price\nis wrong")
    with monkeypatch.context() as patched:
        patched.setattr(Places, "from_graph", lambda graph: pytest.fail("read anew although nothing has changed"))
        assert Locator.for_repository(root, cache=cache, progress=False).locate("round_price\nis wrong") == first
    (root / "money.py").write_text("def other():\n    return 1\n")
    ranking = Locator.for_repository(root, cache=cache, workers=0, progress=False).locate("other\nis wrong")
    assert ranking.units[0].name == "other"


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("codefuse_hf.search.places.constants.HF_HOME", str(tmp_path / "home"))
    for path, text in FILES.items():
        (tmp_path / "shop" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / path).write_text(text)
    (tmp_path / "issue.md").write_text("Receipts are never sent\nThe mail has no total.\n")
    assert main(["locate", str(tmp_path / "shop"), "--issue", str(tmp_path / "issue.md")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  1  shop/mail.py") and any("send_receipt" in line for line in lines)
    assert main(["locate", str(tmp_path / "shop"), "--issue", str(tmp_path / "issue.md"), "--json"]) == 0
    assert Ranking.from_json(capsys.readouterr().out).files[0].path == "shop/mail.py"
    assert not list((tmp_path / "shop").rglob("*.safetensors"))  # nothing is left in the repository
    assert main(["locate", str(tmp_path / "nowhere"), "--issue", str(tmp_path / "issue.md")]) == 1
    (tmp_path / "empty.md").write_text("\n")
    assert main(["locate", str(tmp_path / "shop"), "--issue", str(tmp_path / "empty.md")]) == 1
    assert "the issue is empty" in capsys.readouterr().err
