"""Everything that touches torch: data, networks, targets, training, extraction."""
