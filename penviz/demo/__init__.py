"""Trained networks that come with the package, a few examples of each (`python -m reproduction.dial`)."""

from __future__ import annotations

from pathlib import Path

PAIR = Path(__file__).resolve().parent / "pair"
"""Hard and soft on CIFAR-10: two of the shipped runs with 300 examples a class and split. The app opens it
where there are no runs."""

PAIR_NAMES = ("cifar10-alexnet-hard", "cifar10-alexnet-soft")
PAIR_CLASSES = ("airplane", "automobile", "bird")
"""The first row of Figure 1 of Müller, Kornblith & Hinton 2019."""

DIAL = Path(__file__).resolve().parent / "dial"
"""Six networks of rising label smoothing, for the alpha dial."""
