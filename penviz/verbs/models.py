"""`penviz models`: the networks that penviz can train."""

from __future__ import annotations


def models() -> None:
    """List the networks that penviz can train."""
    from penviz.learn.models import MODELS

    for name, entry in MODELS.items():
        print(f"{name:<17} {entry.about} (d = {entry.width})")
