"""One file per programming language: what its syntax tree means to the code graph."""
