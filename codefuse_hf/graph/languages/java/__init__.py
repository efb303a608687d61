"""Java: files to definitions and facts, facts to edges."""
