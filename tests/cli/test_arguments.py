"""What options of several commands read."""

import argparse

import pytest

from codefuse_hf.cli.arguments import size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("20k", 20 << 10),
        ("200M", 200 << 20),
        ("200 MB", 200 << 20),
        ("3MiB", 3 << 20),
        ("1g", 1 << 30),
        ("9B", 9),
    ],
)
def test_sizes(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0M", "-1M", "1.5G", "M", "5T", "1e6", "٣M", "1 M G"])
def test_what_is_no_size(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 5M or 1G"):
        size(text)
