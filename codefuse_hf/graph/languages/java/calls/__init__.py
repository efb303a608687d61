"""Types of expressions, and the methods that calls run."""
