"""Which files a search is to look at."""

import pytest

from codefuse_hf.search.paths import PathFilter


@pytest.mark.parametrize(
    ("options", "wanted", "unwanted"),
    [
        ({}, ["a.py", "b/c.py"], []),
        ({"folder": "src"}, ["src/a.py", "src/b/c.py"], ["srcs/a.py", "a.py"]),
        ({"folder": "src", "exclude": ["*.js"]}, ["src/a.py"], ["src/a.js", "a.py", "a.js"]),
        ({"include": ["*.py", "docs"]}, ["x/a.py", "docs/guide.md"], ["a.js", "doc/guide.md"]),
        ({"include": ["*.py"], "exclude": ["./tests/"]}, ["src/a.py"], ["tests/a.py", "src/tests/a.py"]),
        ({"include": ["src/net"]}, ["src/net/a.py"], ["src/a.py", "lib/src/net/a.py"]),
    ],
)
def test_a_path_is_wanted(options, wanted, unwanted):
    chosen = PathFilter(**options)
    assert bool(chosen) == bool(options)
    assert all(map(chosen, wanted)) and not any(map(chosen, unwanted))


@pytest.mark.parametrize("pattern", ["", "/", "./"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(ValueError, match="no pattern of paths"):
        PathFilter(include=[pattern])
