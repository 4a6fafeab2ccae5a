"""What is called from a script or a notebook of one's own; `penviz` has all of it by name."""
