"""What tests of several folders share. `tests/` is on the path of imports (pyproject.toml), so it is `helpers`."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden"  # cases with known answers
