"""How many classes the weights of a network tell, and from which layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from penviz.external.reader.report import TensorEntry

_HEAD = re.compile(
    r"(fc|heads?|classifier|classif|linear|logits|last_linear|output|out|score|cls|pred|prediction|predictor)\d*"
    r"(\.(\d+|fc\d*|l|head|linear|out_proj|classifier|last|proj))*\Z"
)
"""Names that last layers have in torchvision, timm, Hugging Face and the code of papers."""


def count_classes(tensors: Sequence[TensorEntry]) -> tuple[int | None, str]:
    """Number of classes and its evidence; None where no layer is clearly the last.

    A last layer is a weight [K, d] or [K, d, 1, 1] with a bias [K], or a weight [K, d] alone, under a
    name of a last layer that is not an auxiliary one. Of several in one sequence the last counts; if layers
    of two sequences differ in K, none does. Without such a name the only linear layer of the file counts, or
    the last one where each is fed by the one before.
    """
    shapes = {t.key: t.shape for t in tensors}
    layers: dict[str, tuple[tuple[int, ...], bool]] = {}
    for key, shape in shapes.items():
        if key != "weight" and not key.endswith(".weight"):
            continue
        stem = key.removesuffix("weight").removesuffix(".")
        bias = shapes.get(f"{stem}.bias" if stem else "bias")
        if bias == shape[:1] and (len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))):
            layers[stem] = shape, True
        elif bias is None and len(shape) == 2:
            layers[stem] = shape, False
    named = {stem: layer for stem, layer in layers.items() if _HEAD.match(stem)}
    if named:
        last = max(named, key=_natural)
        others = {shape[0] for stem, (shape, _) in named.items() if _sequence(stem) != _sequence(last)}
        (shape, has_bias) = named[last]
        if others - {shape[0]}:
            return None, ""
        return shape[0], f"{last}.weight {list(shape)}{' with a bias' if has_bias else ', without a bias'}"
    with_bias = [(stem, shape) for stem, (shape, has_bias) in layers.items() if has_bias]
    if len(with_bias) == 1 and sum(len(shape) == 2 for shape in shapes.values()) <= 1:
        stem, shape = with_bias[0]
        return shape[0], f"{stem + '.' if stem else ''}weight {list(shape)}, the only linear layer"
    dense = [(stem, shape) for stem, shape in with_bias if len(shape) == 2]
    chain = all(a[0] == b[1] for (_, a), (_, b) in pairwise(dense))
    if len(dense) > 1 and chain and sum(len(shape) == 2 for shape in shapes.values()) == len(dense):
        stem, shape = dense[-1]
        return shape[0], f"{stem}.weight {list(shape)}, the last of {len(dense)} linear layers in a row"
    return None, ""


def _natural(stem: str) -> list[tuple[int, int, str]]:
    """A key that sorts 3 before 12."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", stem)]


def _sequence(stem: str) -> str:
    """A stem's sequence: classifier.3 and classifier.6 are one, fc1 and fc2 too."""
    return re.split(r"\d", stem)[0].rstrip(".")
