"""Networks that penviz did not train: architectures, weights, heads, preprocessing, adoption as a run."""
