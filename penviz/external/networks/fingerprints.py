"""Fingerprints of the architectures of torchvision and timm, so that a file is matched without building them.

A fingerprint is the bottom-k sketch of the set of "key shape" strings of a state dict (Broder 1997, On the
resemblance and containment of documents): the SIZE smallest of their hashes. The share of the SIZE smallest
hashes of a union that lie in both sketches estimates the share of keys in common. Sets of fewer than SIZE are
compared exactly. The fingerprints only choose what is built and compared; they decide nothing.

`python -m penviz.external.networks.write_fingerprints` writes them anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]

STORED = "fingerprints.npz"
"""Beside this module."""
SIZE = 32
NOTHING = 2**32 - 1
"""Fills the sketches of small sets."""


def sketch(shapes: Mapping[str, Shape]) -> NDArray[np.uint32]:
    """The SIZE smallest distinct 32-bit hashes of "key shape", ascending; batch norm's counters left out."""
    items = [
        f"{key} {'x'.join(map(str, shape))}"
        for key, shape in shapes.items()
        if not key.endswith("num_batches_tracked")
    ]
    hashes = {int.from_bytes(hashlib.blake2b(i.encode(), digest_size=4).digest(), "big") for i in items}
    lowest = np.array(sorted(hashes - {NOTHING})[:SIZE], np.uint32)
    return np.concatenate([lowest, np.full(SIZE - len(lowest), NOTHING, np.uint32)])


@lru_cache(maxsize=1)
def stored() -> tuple[tuple[str, ...], NDArray[np.uint32]]:
    """Names and sketches [n, SIZE] of all known architectures."""
    with np.load(Path(__file__).with_name(STORED), allow_pickle=False) as file:
        return tuple(file["names"].tolist()), file["sketches"]


def resemblance(own: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Estimated Jaccard index of a sketch [SIZE] and others [n, SIZE] -> [n]."""
    shares = np.zeros(len(others))
    for row, other in enumerate(others):
        union = np.union1d(own, other)
        lowest = union[union != NOTHING][:SIZE]
        shares[row] = np.isin(lowest, own[np.isin(own, other)]).mean() if len(lowest) else 0.0
    return shares


def nearest(shapes: Mapping[str, Shape], most: int, least: float = 0.3) -> list[str]:
    """Names of at most `most` architectures whose resemblance is at least `least`, best first.

    Of equal ones torchvision's come before timm's and short names before long ones, which are variants.
    """
    names, sketches = stored()
    own = sketch(shapes)
    shared = np.flatnonzero(np.isin(sketches, own[own != NOTHING]).any(1))
    shares = resemblance(own, sketches[shared])
    order = sorted(
        (-value, names[row].startswith("timm:"), len(names[row]), names[row])
        for row, value in zip(shared, shares, strict=True)
        if value >= least
    )
    return [name for *_, name in order[:most]]
