"""How tight the clusters of three classes are, and of all triples at once."""
