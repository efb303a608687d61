"""Serving: transformers' own server for the models of this project, with states kept between turns."""

from .prompt_states import PromptStates, generate_from_states
from .server import Server

__all__ = ["PromptStates", "Server", "generate_from_states"]
