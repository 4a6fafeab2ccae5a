"""The paper's numbers made again: a manifest of runs, the command that makes them, and the report."""
