"""Making a graph: listing sources, reading each file, resolving names, joining, keeping what was read."""
