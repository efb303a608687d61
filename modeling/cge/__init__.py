"""CGE: a decoder language model made into a code embedding model."""
