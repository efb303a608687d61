"""Model families: one folder each, flat inside; these files travel to the Hub beside the weights."""
