"""95 % intervals: over examples, over training seeds, and where one would not hold."""
