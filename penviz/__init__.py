"""penviz: see what training targets do to a classifier's penultimate layer."""

__version__ = "0.1.0"
