"""Files that penviz did not write: what they are and hold, read without running anything from them."""
