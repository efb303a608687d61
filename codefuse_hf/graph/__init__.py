"""The code graph of a repository: schema, builder, queries, export and view."""
