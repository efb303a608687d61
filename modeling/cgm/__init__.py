"""CGM: a causal language model that reads code graphs. What is here travels to the Hub beside the weights."""
