"""What is inferred of a foreign network, with evidence: its head, its input, its accuracy."""
