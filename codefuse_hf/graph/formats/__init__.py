"""Graphs in and out: JSON, data sets, networkx, a page to look at."""
