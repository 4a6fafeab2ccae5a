"""VGG and DenseNet as they are usually trained on CIFAR, under the common key names.

Widths and the number of blocks are read off a file; the order of channels and what stands between the layers
go with the names of the keys. Simonyan and Zisserman 2015, Huang et al. 2017.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from penviz.external.networks.layer_tables import Conv, Dense, Join, Norm, Step, Steps

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

VGG_BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions between the pools (Simonyan and Zisserman 2015, table 1)."""


def vgg(shapes: Shapes, n_classes: int) -> tuple[str, Steps] | None:
    """`features.N` in a sequence with its ReLUs and pools, and one or three linear layers `classifier`."""
    table: list[Step] = []
    blocks, n, width, place, normed = [], 0, 0, 0, False
    while f"features.{place}.weight" in shapes or n:
        weight = shapes.get(f"features.{place}.weight", ())
        if len(weight) == 4 and weight[2:] == (3, 3):
            normed = f"features.{place + 1}.running_mean" in shapes
            table += [Conv(f"features.{place}", weight[1], weight[0], bias=True)]
            table += [Norm(f"features.{place + 1}", weight[0])] if normed else []
            table.append("relu")
            n, width, place = n + 1, weight[0], place + (3 if normed else 2)
        elif n and not weight:
            blocks.append(n)
            table.append("max")
            n, place = 0, place + 1
        else:
            return None
    depth = next((d for d, usual in VGG_BLOCKS.items() if usual == tuple(blocks)), 0)
    found = [(int(m[1] or 0), k) for k in shapes if (m := re.match(r"classifier(?:\.(\d+))?\.weight\Z", k))]
    dense = [key.removesuffix(".weight") for _, key in sorted(found)]
    if not depth or len(dense) not in (1, 3) or shapes[f"{dense[0]}.weight"][1:] != (width,):
        return None
    table.append("flat")
    for key in dense[:-1]:
        b = shapes[f"{key}.weight"][0]
        table += [Dense(key, width, b), "relu"]
        width = b
    return f"vgg{depth}{'_bn' if normed else ''}", (*table, Dense(dense[-1], width, n_classes))


@dataclass(frozen=True)
class DenseSpelling:
    """Key names of a DenseNet, as `cifar_resnets.Spelling`.

    Attributes:
        suffix: of its name; stem: key of the first convolution; start: what follows it.
        layer: key of a layer; parts: of its two norms and two convolutions, in order.
        trans: keys of norm and convolution between the blocks; relu: whether a ReLU stands between those two.
        last, head: keys of the last norm and the last layer; front: new channels come before the old ones.
    """

    suffix: str
    stem: str
    start: tuple[str, ...]
    layer: str
    parts: tuple[str, str, str, str]
    trans: tuple[str, str]
    last: str
    head: str
    relu: bool = True
    front: bool = False


_DENSE = ("bn1", "conv1", "bn2", "conv2")
DENSE = (
    DenseSpelling(
        "", "conv1", (), "dense{s}.{b}", _DENSE, ("trans{s}.bn", "trans{s}.conv"), "bn", "linear", front=True
    ),
    DenseSpelling("-fc", "conv1", (), "dense{s}.{b}", _DENSE, ("trans{s}.bn1", "trans{s}.conv1"), "bn", "fc"),
    DenseSpelling(
        "-bottle_neck", "conv1", (), "features.dense_block{l}{s0}.bottle_neck_layer_{b}",
        ("bottle_neck.0", "bottle_neck.2", "bottle_neck.3", "bottle_neck.5"),
        ("features.transition_layer_{s0}.down_sample.0", "features.transition_layer_{s0}.down_sample.1"),
        "features.bn", "linear", relu=False,
    ),
    DenseSpelling(
        "-denselayer", "features.conv0", ("features.norm0", "relu", "max of 3"),
        "features.denseblock{s}.denselayer{b1}", ("norm1", "conv1", "norm2", "conv2"),
        ("features.transition{s}.norm", "features.transition{s}.conv"), "features.norm5", "classifier",
    ),
)  # fmt: skip


def densenet(shapes: Shapes, n_classes: int, spelling: DenseSpelling) -> tuple[str, Steps] | None:
    """A DenseNet with bottlenecks of 1 x 1 convolutions and a 3 x 3 stem of stride 1."""

    def layer(stage: int, block: int, part: int) -> str:
        for between in ("_layer_", ""):
            names = {"s": stage, "s0": stage - 1, "b": block, "b1": block + 1, "l": between}
            key = f"{spelling.layer}.{spelling.parts[part]}".format(**names)
            if f"{key}.weight" in shapes:
                return key
        return ""

    stem = shapes.get(f"{spelling.stem}.weight", ())
    if len(stem) != 4 or stem[2:] != (3, 3) or not layer(1, 0, 3) or f"{spelling.head}.weight" not in shapes:
        return None
    width = stem[0]
    table: list[Step] = [Conv(spelling.stem, stem[1], width)]
    table += [Norm(key, width) if "." in key else key for key in spelling.start]
    stage, n_layers = 1, 0
    while layer(stage, 0, 3):
        block = 0
        while layer(stage, block, 3):
            inner = shapes[f"{layer(stage, block, 1)}.weight"][0]
            growth = shapes[f"{layer(stage, block, 3)}.weight"][0]
            keys = [layer(stage, block, part) for part in range(4)]
            made = (
                Norm(keys[0], width), "relu", Conv(keys[1], width, inner, 1),
                Norm(keys[2], inner), "relu", Conv(keys[3], inner, growth),
            )  # fmt: skip
            table.append(Join((made, ()) if spelling.front else ((), made)))
            width, block, n_layers = width + growth, block + 1, n_layers + 1
        norm, conv = (key.format(s=stage, s0=stage - 1) for key in spelling.trans)
        if less := shapes.get(f"{conv}.weight"):
            between = ("relu",) if spelling.relu else ()
            table += [Norm(norm, width), *between, Conv(conv, width, less[0], 1), "mean of 2"]
            width = less[0]
        stage += 1
    name = f"densenet{2 * n_layers + stage}{spelling.suffix}"
    table += [Norm(spelling.last, width), "relu", "mean", "flat", Dense(spelling.head, width, n_classes)]
    return name, tuple(table)
