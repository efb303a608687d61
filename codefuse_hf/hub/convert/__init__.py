"""Readers of the published CodeFuse repositories: one file per published layout."""
