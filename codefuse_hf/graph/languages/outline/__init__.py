"""Outlines: what languages have that are described by a table of syntax nodes instead of a reader of their own."""
