"""Operators: a plain reference, fast versions and their dispatch, one flat file each."""
