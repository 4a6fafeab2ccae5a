"""From a file of someone else's to a run."""
