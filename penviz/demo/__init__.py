"""Trained networks that come with the package, a few examples of each (`python -m reproduction ship`)."""

from __future__ import annotations

from pathlib import Path

PAIR = Path(__file__).resolve().parent / "pair"
"""Hard and soft on CIFAR-10: two of the shipped runs with 200 examples a class and split. The app opens it
where there are no runs."""

PAIR_NAMES = ("cifar10-compact-hard", "cifar10-compact-soft")
PAIR_CLASSES = ("airplane", "automobile", "bird")
"""The first row of Figure 1 of Müller, Kornblith & Hinton 2019."""

SWEEP = Path(__file__).resolve().parent / "sweep"
"""Six networks of rising label smoothing, for the page Sweep: in a checkout a link to checkpoints/sweep."""

TEST_IMAGES = Path(__file__).resolve().parent / "test_images"
"""A thousand official test images each of CIFAR-10 and CIFAR-100, for checkpoints of one's own."""

SHIPPED = {"cifar10-1000": "cifar10", "cifar100-1000": "cifar100"}
"""Name of these images as a data set -> the data set that they are of."""

EXAMPLE = Path(__file__).resolve().parent / "example" / "cifar10-alexnet-hard.pth"
"""Weights of an AlexNet trained on hard targets, as a file from elsewhere, for the page "Your model"."""
EXAMPLE_IMAGES = "cifar10-1000"
