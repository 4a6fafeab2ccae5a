"""Architectures of networks that penviz did not train, and their weights."""
