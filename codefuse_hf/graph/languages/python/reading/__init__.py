"""One Python file: syntax to definitions and a data-flow program."""
