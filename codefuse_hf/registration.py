"""Registers the model families with transformers' Auto classes, without importing transformers.

Placeholder body until the first family lands in this same series of commits.
"""


def install() -> None:
    """Arrange for the registration of every family."""
