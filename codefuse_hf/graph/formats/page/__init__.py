"""A page to look at a graph."""
