"""What a name means: modules, imports, classes and their bases."""
