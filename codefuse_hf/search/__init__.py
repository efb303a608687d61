"""Index and search a repository with an embedding model."""
