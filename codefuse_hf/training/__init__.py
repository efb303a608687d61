"""Datasets, collators and recipes: only what `transformers.Trainer` does not have."""
