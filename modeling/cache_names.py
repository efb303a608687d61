"""The name that a cache has among a model's arguments and results: `cache` from transformers 5.24 on, before it `past_key_values`.

A name that a function does not have would vanish among its other keyword arguments, and text be generated as if nothing had come
before. So whatever transformers gives a cache to takes both names (`takes_cache`), and what is transformers' own gets the one it
has (`CACHE_NAME`).
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable

from transformers.modeling_outputs import BaseModelOutputWithPast

CACHE_NAMES = ("past_key_values", "cache")
CACHE_NAME = next(field.name for field in dataclasses.fields(BaseModelOutputWithPast) if field.name in CACHE_NAMES)


def takes_cache(function: Callable) -> Callable:
    """Make a function with an argument `past_key_values` take it by either name.

    `inspect.signature` shows the name that transformers looks for. Raises `ValueError` for two caches.
    """

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if "cache" in kwargs:
            cache = kwargs.pop("cache")
            if cache is not None and kwargs.get("past_key_values") is not None:
                raise ValueError("give either cache or past_key_values, which are two names of one argument")
            if kwargs.get("past_key_values") is None:
                kwargs["past_key_values"] = cache
        return function(*args, **kwargs)

    signature = inspect.signature(function)
    parameters = [p.replace(name=CACHE_NAME) if p.name in CACHE_NAMES else p for p in signature.parameters.values()]
    wrapped.__signature__ = signature.replace(parameters=parameters)
    return wrapped


__all__ = ["CACHE_NAME", "CACHE_NAMES", "takes_cache"]
