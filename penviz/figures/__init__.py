"""Figures: one recipe each, the runs it stands on, its panels or charts, and the files that are written."""
