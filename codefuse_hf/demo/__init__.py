"""A Gradio app for people who look first: complete code, search a repository, see its graph, ask about it."""

from ..lazy_names import lazy_names

_NAMES = {"build_app": "app", "OpenRepository": "repositories", "unpack": "repositories"}

__getattr__, __dir__, __all__ = lazy_names(__name__, _NAMES)
