"""Runs that are looked at together, and the answers to what is asked of them."""
