"""Confidence against accuracy: bins, smooth ECE, temperature scaling, selective classification."""
