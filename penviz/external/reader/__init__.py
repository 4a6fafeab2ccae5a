"""Files that penviz did not write: what they are and hold, found out without running anything in them."""
