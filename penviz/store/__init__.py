"""Runs, activations, shards and snapshots on disk, and how files are written whole."""
