"""penviz: see what training targets do to a classifier's penultimate layer."""

__version__ = "0.1.0"


class InputError(ValueError):
    """What a user gave cannot be used; the message is one sentence that says why and what to do."""
