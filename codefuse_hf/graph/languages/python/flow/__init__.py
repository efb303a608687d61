"""Where values flow and what is called."""
