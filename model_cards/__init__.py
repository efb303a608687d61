"""Model card templates, filled by `codefuse_hf.hub.model_card`."""
