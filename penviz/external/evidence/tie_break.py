"""Which of the set-ups that images cannot tell apart is taken: the one that assumes least."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.networks.variants import Variant

STANDARD_ERRORS = 2.0
"""Paired differences beyond this many standard errors decide between two set-ups."""


def clearly_worse(right: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether answers are worse than others on the same images, beyond STANDARD_ERRORS of the difference.

    Only images that one of the two alone has right tell them apart: with b and c of each kind, b - c has the
    standard error sqrt(b + c) when neither is better (McNemar 1947, Psychometrika 12). It is accuracy that is
    compared and not NLL, which any change that shrinks the logits of an overconfident network lowers.

    Args:
        right, other: [n] whether the answer to each image is right.
    """
    lost, won = int((other & ~right).sum()), int((right & ~other).sum())
    return bool(lost - won > STANDARD_ERRORS * (lost + won) ** 0.5)


def oddness(preprocessing: Preprocessing, variant: Variant) -> tuple[bool, bool, bool, bool]:
    """What of a set-up nothing in a file speaks for, the gravest first: less is plainer.

    A changed body; pixels other than the recipe that a library or the file states; pixels of 0 to 255; BGR.
    """
    return (
        variant != Variant(),
        not preprocessing.is_recipe,
        preprocessing.scaling == "0..255",
        preprocessing.order != "RGB",
    )
