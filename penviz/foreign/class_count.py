"""How many classes the weights of a network tell, and from which layer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from penviz.foreign.report import TensorEntry

_HEAD = re.compile(
    r"(fc|heads?|classifier|linear|logits|last_linear|output|out|score|cls|pred|prediction|predictor)\d*"
    r"(\.(\d+|fc|l|head|linear|out_proj|classifier|last|proj))*\Z"
)
"""Names that last layers have in torchvision, timm, Hugging Face and the code of papers."""


def count_classes(tensors: Sequence[TensorEntry]) -> tuple[int | None, str]:
    """Number of classes and its evidence; None where no layer is clearly the last.

    A last layer is a weight [K, d] or [K, d, 1, 1] with a bias [K], under a name of a last
    layer that is not an auxiliary one. Of several in one sequence the last counts. Without such a name the
    only layer of that form in the file counts.
    """
    shapes = {t.key: t.shape for t in tensors}
    with_bias: dict[str, tuple[int, ...]] = {}
    without: dict[str, tuple[int, ...]] = {}
    for key, shape in shapes.items():
        stem = key.removesuffix("weight").removesuffix(".")
        if key != "weight" and not key.endswith(".weight"):
            continue
        if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)):
            bias = shapes.get(f"{stem}.bias" if stem else "bias")
            if bias == (shape[0],):
                with_bias[stem] = shape
            elif bias is None and len(shape) == 2:
                without[stem] = shape
    named = {stem: shape for stem, shape in with_bias.items() if _HEAD.match(stem)}
    if named:
        stem = max(named, key=_natural)
        family = {s: shape for s, shape in named.items() if _letters(s) != _letters(stem)}
        if len({shape[0] for shape in (*family.values(), named[stem])}) > 1:
            return None, ""
        return named[stem][0], f"{stem}.weight {list(named[stem])} with a bias"
    if len(with_bias) == 1:
        stem, shape = next(iter(with_bias.items()))
        dense = [s for s in tensors if len(s.shape) == 2]
        if len(dense) <= 1:
            return shape[0], f"{stem + '.' if stem else ''}weight {list(shape)}, the only linear layer"
    named = {stem: shape for stem, shape in without.items() if _HEAD.match(stem)}
    if len(named) == 1 and not with_bias:
        stem, shape = next(iter(named.items()))
        return shape[0], f"{stem}.weight {list(shape)}, without a bias"
    return None, ""


def _natural(stem: str) -> list[tuple[int, int, str]]:
    """A key that sorts 3 before 12."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", stem)]


def _letters(stem: str) -> str:
    """A stem's sequence: classifier.3 and classifier.6 are one, fc1 and fc2 too."""
    return re.split(r"\d", stem)[0].rstrip(".")
