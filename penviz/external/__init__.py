"""Checkpoints that penviz did not write: inspected, run in a sandbox, rebuilt, proved, imported."""
