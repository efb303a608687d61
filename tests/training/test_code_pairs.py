"""Pairs of descriptions and functions out of source code."""

import pytest

pytest.importorskip("tree_sitter")

from codefuse_hf.training.code_pairs import describe, hold_out, mine_code_pairs

PYTHON = '''import os

def read(path):
    """Read all lines of a file.

    Args:
        path: where.
    """
    with open(path) as file:
        return file.readlines()


class Tool:
    def undocumented(self):
        x = 1
        return x

    def turn(self, angle):
        """Turn the tool by an angle in degrees."""
        self.angle += angle
        return self

    def __len__(self):
        """The number of parts of the tool."""
        n = len(self.parts)
        return n

    def short(self): "One line of code only here"; return 1
'''
JAVA = """class Tool {
  /**
   * Adds two <b>whole</b> numbers with {@code long} care.
   *
   * @param a one
   */
  static int add(int a, int b) {
    int sum = a + b;
    return sum;
  }

  // no
  int bare() {
    int x = 1;
    return x;
  }
}
"""


@pytest.fixture
def corpus(tmp_path):
    for path, text in {
        "pack/read.py": PYTHON,
        "pack/tests/test_read.py": PYTHON.replace("lines", "rows"),
        "other/Tool.java": JAVA,
        "broken/bad.py": "def f(:\n",
        "broken/latin.py": "# caf\xe9\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="latin-1")
    return tmp_path


def test_pairs_of_python(corpus):
    pairs = {pair.name: pair for pair in mine_code_pairs([corpus], progress=False)}
    assert set(pairs) == {"read", "Tool.turn"}
    read = pairs["read"]
    assert (read.query, read.path, read.line, read.package) == ("Read all lines of a file.", "pack/read.py", 3, "pack")
    assert read.code == "def read(path):\n    with open(path) as file:\n        return file.readlines()"
    assert pairs["Tool.turn"].code.startswith("def turn(self, angle):\n    self.angle")


def test_pairs_of_other_languages(corpus):
    (pair,) = mine_code_pairs([corpus], languages=["java"], progress=False)
    assert (pair.query, pair.name, pair.language) == ("Adds two whole numbers with long care.", "add", "java")
    assert pair.code.startswith("int add") and "Adds" not in pair.code and pair.line == 7


def test_what_several_functions_say_is_left_out(corpus):
    for i in range(2):
        (corpus / f"pack/copy{i}.py").write_text(
            f'def f{i}(x):\n    """Return the config of x now."""\n    y = {i}\n    return y\n'
        )
    (corpus / "pack/same.py").write_text(PYTHON)
    assert {pair.name for pair in mine_code_pairs([corpus], progress=False)} == {"read", "Tool.turn"}


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("/** Opens it. */", "Opens it."),
        ("// Opens it,\n// and closes it.\n//\n// More.", "Opens it, and closes it."),
        ('/// <summary>Opens <see cref="X"/> it.</summary>', "Opens it."),
        ("/*\n * \\brief Opens it.\n * \\param x y\n */", "Opens it."),
        ("# Opens it.\n# @return [String]", "Opens it."),
        ("Opens {@link Door} `it`.\n@param x", "Opens Door it."),
        ("@param x only", ""),
    ],
)
def test_the_first_paragraph_of_a_comment(comment, expected):
    assert describe(comment) == expected


def test_whole_packages_are_held_out(corpus):
    pairs = mine_code_pairs([corpus], languages=["python", "java"], progress=False)
    training, held = hold_out(pairs, ["other"])
    assert {pair.package for pair in training} == {"pack"} and {pair.package for pair in held} == {"other"}
    with pytest.raises(ValueError, match="no pairs were mined from absent"):
        hold_out(pairs, ["absent"])


def test_bad_corpora(corpus):
    with pytest.raises(FileNotFoundError, match="no folder"):
        mine_code_pairs([corpus / "absent"], progress=False)
    with pytest.raises(ValueError, match="unknown language 'cobol'"):
        mine_code_pairs([corpus], languages=["cobol"], progress=False)
