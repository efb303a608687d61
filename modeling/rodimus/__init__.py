"""Rodimus and Rodimus+ (arXiv 2410.06577)."""
