"""`evaluate.Metric` classes for ranked retrieval; they work offline."""
