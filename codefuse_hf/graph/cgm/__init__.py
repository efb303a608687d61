"""What CGM reads of a graph: nodes as sentences, and sentences cut into segments."""
