"""Checks the keys of a configuration; all families refuse a value with the same sentence.

CGEConfig: `compress_dim` must be an integer of at least 1, found 0: give such a value, or leave the key out.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING


class Checks:
    """Checks values of one class of configurations; each method raises `ValueError` for a value that is not allowed."""

    def __init__(self, owner: str):
        self.owner = owner

    def refuse(
        self, key: str, allowed: str, found: Any, do: str = "give such a value, or leave the key out"
    ) -> NoReturn:
        """Raise the error that says what a key must be, what was found, and what to do."""
        raise ValueError(f"{self.owner}: `{key}` must be {allowed}, found {found!r}: {do}.")

    def choice(self, key: str, value: Any, allowed: Iterable[Any]) -> None:
        """Check that a value is one of those allowed."""
        if value not in allowed:
            self.refuse(key, f"one of {', '.join(map(repr, allowed))}", value)

    def switch(self, key: str, value: Any) -> None:
        """Check that a value is true or false."""
        if not isinstance(value, bool):
            self.refuse(key, "true or false", value)

    def integer(self, key: str, value: Any, low: int, high: int | None = None) -> None:
        """Check that a value is an integer, at least `low` and at most `high`."""
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
            self.refuse(key, f"an integer {_limits(low, high)}", value)

    def number(self, key: str, value: Any, low: float, high: float | None = None) -> None:
        """Check that a value is a number, at least `low` and at most `high`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value or (high is not None and value > high):
            self.refuse(key, f"a number {_limits(low, high)}", value)

    def divides(self, key: str, value: int, whole_key: str, whole: int) -> None:
        """Check that a value divides that of another key."""
        if whole % value:
            self.refuse(key, f"a divisor of `{whole_key}` ({whole})", value, "change one of the two")

    def derived(self, config: PreTrainedConfig, stated: dict[str, Any]) -> None:
        """Check values that were given for what follows from other keys."""
        for key, value in stated.items():
            if value != getattr(config, key):
                self.refuse(key, f"{getattr(config, key)!r}, as the other keys give", value, "leave it out")

    def part(self, key: str, config: PreTrainedConfig | dict[str, Any]) -> PreTrainedConfig:
        """Make the configuration of a part (a sub-configuration) of what was given for it."""
        if isinstance(config, dict):
            fields = dict(config)
            model_type = fields.pop("model_type", None)
            if model_type not in CONFIG_MAPPING:
                self.refuse(
                    f"{key}.model_type",
                    "a model type that transformers knows",
                    model_type,
                    "for a model whose code is in the folder pass trust_remote_code=True; for one of an installed package "
                    "import that package first",
                )
            return CONFIG_MAPPING[model_type](**fields)
        if not isinstance(config, PreTrainedConfig):
            self.refuse(key, "a model's configuration or a dictionary", config)
        return config


class ChecksOverrides:
    """Checks what `from_pretrained` is told to override (`from_pretrained(folder, compress_dim=16)`) as a new configuration is.

    transformers sets such values on the finished configuration, where no constructor sees them. A class that builds on this one
    names in `own_keys` what its constructor takes, and has a method `check_values`.
    """

    own_keys = ()

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        """Make a configuration as `PreTrainedConfig.from_dict` does. Raises `ValueError` for an override that is not allowed."""
        own = {key: kwargs.pop(key) for key in cls.own_keys if key in kwargs}
        made = super().from_dict({**config_dict, **own}, **kwargs)
        (made[0] if isinstance(made, tuple) else made).check_values()
        return made


def runs_as_remote_code() -> bool:
    """Tell whether this very file was loaded from a model folder, which takes the user's `trust_remote_code=True`."""
    return __name__.split(".", 1)[0] == "transformers_modules"


def _limits(low: float, high: float | None) -> str:
    low, high = (f"{x:g}" if isinstance(x, float) else x for x in (low, high))
    return f"of at least {low}" if high is None else f"from {low} to {high}"


__all__ = ["Checks", "ChecksOverrides", "runs_as_remote_code"]
