"""`penviz models`: the networks that penviz can train."""

from __future__ import annotations


def models() -> None:
    """List the networks that penviz can train."""
    from penviz.training.models import MODELS

    for name, entry in MODELS.items():
        print(f"{name:<17} {entry.about} (d = {entry.width})")
    print(
        "torchvision:NAME  any classifier of torchvision with one linear layer at its end; resnet34 for short"
    )
