"""Key names of networks of torchvision and timm in files that others, or older versions, wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

Shape = tuple[int, ...]
T = TypeVar("T")

_RULES = (
    (re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2.", "torchvision's of 2017"),
    (re.compile(r"\Afeatures\.module\."), "features.", "a DataParallel around the features"),
)
"""What to put in place of what, and whose names they are."""

OF_TENSORFLOW = "EfficientNet-PyTorch's"
_LITE = ("timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite1", "timm:tf_efficientnet_lite2")
_FULL = ("timm:tf_efficientnet_b0", "timm:tf_efficientnet_b1", "timm:tf_efficientnet_b2")


def plain(values: Mapping[str, T]) -> tuple[dict[str, T], str]:
    """The same under the names of today, and whose names the old ones are; "" where nothing changes."""
    for pattern, new, whose in _RULES:
        renamed = {pattern.sub(new, key): value for key, value in values.items()}
        if len(renamed) == len(values) and renamed.keys() != values.keys():
            return renamed, whose
    return dict(values), ""


def in_order(keys: Mapping[str, Shape]) -> Sequence[str]:
    """Networks of timm that have the same layers as a file in the same order, under other names.

    EfficientNet-PyTorch (lukemelas) numbers its blocks through; its networks pad as TensorFlow does, and as
    timm's `tf_` do.
    """
    if not {"_conv_stem.weight", "_conv_head.weight", "_fc.weight"} <= keys.keys():
        return ()
    return _FULL if any("._se_reduce." in key for key in keys) else _LITE


def by_order(
    own: Mapping[str, Shape], values: Mapping[str, T], shapes: Mapping[str, Shape]
) -> dict[str, T] | None:
    """A file's values under the keys of a network whose shapes are the same in the same order; else None."""
    counted = any(key.endswith("num_batches_tracked") for key in shapes)
    keys = [key for key in own if counted or not key.endswith("num_batches_tracked")]
    ends = [key.rpartition(".")[2] for key in keys]
    if ends != [key.rpartition(".")[2] for key in shapes] or [own[k] for k in keys] != list(shapes.values()):
        return None
    return dict(zip(keys, values.values(), strict=True))
