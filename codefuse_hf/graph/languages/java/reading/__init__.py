"""One Java file: syntax to definitions and flat instructions."""
