"""MobileNetV2 and ShuffleNetV2 as they are usually trained on CIFAR, under the common key names.

Widths are read off a file; strides and activations go with the names of the keys. Sandler et al. 2018, Ma et
al. 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penviz.external.networks.layer_tables import Conv, Dense, Join, Norm, Step, Steps, Sum

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

MOBILE_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
"""Of the stages (Sandler et al. 2018, table 2)."""


@dataclass(frozen=True)
class MobileSpelling:
    """Key names of a MobileNetV2.

    Attributes:
        suffix: of its name; stem, last: keys of a convolution and its norm; head: key of the last layer.
        block: key of a block, with {n} its number through all stages and {n1} one more, {s} its stage from 1
            and {s0} one less, {b} its number in the stage.
        parts: keys of its three convolutions and norms, in turn; side: of its projection.
        strides: of the stages; stem_stride: of the first layer; relu: "relu" or "relu6".
    """

    suffix: str
    stem: tuple[str, str]
    block: str
    parts: tuple[str, ...]
    last: tuple[str, str]
    head: str
    strides: tuple[int, ...]
    side: str = ""
    stem_stride: int = 1
    relu: str = "relu"


_IN_SEQUENCE = ("0", "1", "3", "4", "6", "7")
_USUAL = (1, 1, 2, 2, 1, 2, 1)
MOBILE = (
    MobileSpelling(
        "", ("conv1", "bn1"), "layers.{n}", ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3"),
        ("conv2", "bn2"), "linear", _USUAL, side="shortcut",
    ),
    MobileSpelling(
        "-residual", ("pre.0", "pre.1"), "stage{s}.{b}.residual", _IN_SEQUENCE, ("conv1.0", "conv1.1"),
        "conv2", (1, 2, 2, 2, 1, 1, 1), relu="relu6",
    ),
    MobileSpelling(
        "-blocks", ("conv1.0", "conv1.1"), "blocks.{s0}.{b}.conv", _IN_SEQUENCE, ("conv2.0", "conv2.1"),
        "classifier.0", _USUAL, stem_stride=2,
    ),
    MobileSpelling(
        "-features", ("features.0.0", "features.0.1"), "features.{n1}.conv",
        ("0.0", "0.1", "1.0", "1.1", "2", "3"), ("features.18.0", "features.18.1"), "classifier.1", _USUAL,
        relu="relu6",
    ),
)  # fmt: skip


def mobilenet(shapes: Shapes, n_classes: int, spelling: MobileSpelling) -> tuple[str, Steps] | None:
    """A MobileNetV2 with the strides that go with its key names."""

    def weight(key: str) -> Shape:
        return shapes.get(f"{key}.weight", ())

    def bias(key: str) -> bool:
        return f"{key}.bias" in shapes

    stem, last = spelling.stem, spelling.last
    if any(len(weight(key)) != 4 for key in (stem[0], last[0])) or not weight(spelling.head):
        return None
    first = weight(stem[0])
    a, number = first[0], 0
    padding = 1 if first[-1] == 1 else -1  # weiaicunzai's is 1 x 1 and padded by 1
    conv = Conv(stem[0], first[1], a, first[-1], spelling.stem_stride, bias(stem[0]), padding=padding)
    table: list[Step] = [conv, Norm(stem[1], a), spelling.relu]
    for stage, (n, stride) in enumerate(zip(MOBILE_BLOCKS, spelling.strides, strict=True), start=1):
        for i in range(n):
            template = (
                spelling.block.replace(".{b}", "") if n == 1 and "{s}" in spelling.block else spelling.block
            )
            block = template.format(n=number, n1=number + 1, s=stage, s0=stage - 1, b=i)
            keys = [f"{block}.{part}" for part in spelling.parts]
            if spelling.suffix == "-features" and stage == 1:
                keys = ["", "", *(f"{block}.{part}" for part in ("0.0", "0.1", "1", "2"))]
            made, b = _inverted(weight, bias, keys, a, 1 if i else stride, spelling.relu)
            if not made:
                return None
            side = f"{block}.{spelling.side}"
            plain = not i and stride > 1
            if not plain and a != b and spelling.side:
                table.append(Sum(made, (Conv(f"{side}.0", a, b, 1), Norm(f"{side}.1", b))))
            else:
                table += [Sum(made)] if not plain and a == b else made
            a, number = b, number + 1
    d = weight(last[0])[0]
    table += [Conv(last[0], a, d, 1, bias=bias(last[0])), Norm(last[1], d), spelling.relu, "mean"]
    if len(weight(spelling.head)) == 4:
        table += [Conv(spelling.head, d, n_classes, 1, bias=True), "flat"]
    else:
        table += ["flat", Dense(spelling.head, d, n_classes)]
    return f"mobilenetv2{spelling.suffix}", tuple(table)


def _inverted(
    weight: Callable[[str], Shape],
    bias: Callable[[str], bool],
    keys: list[str],
    a: int,
    stride: int,
    relu: str,
) -> tuple[Steps, int]:
    """An inverted residual of a channels, and how many it returns; () where a key is missing."""
    if any(len(weight(key)) != 4 for key in keys[::2] if key):
        return (), 0
    c, b = weight(keys[2])[0], weight(keys[4])[0]
    wide = (Conv(keys[0], a, c, 1, bias=bias(keys[0])), Norm(keys[1], c), relu) if keys[0] else ()
    depthwise = Conv(keys[2], c, c, 3, stride, bias(keys[2]), groups=c)
    return (
        *wide, depthwise, Norm(keys[3], c), relu, Conv(keys[4], c, b, 1, bias=bias(keys[4])), Norm(keys[5], b)
    ), b  # fmt: skip


@dataclass(frozen=True)
class ShuffleSpelling:
    """Key names of a ShuffleNetV2.

    Attributes:
        suffix: of its name; stem, last: keys of a convolution and its norm; stem_relu: a ReLU follows.
        block: key of a block, with {s} its stage from 1, {s1} one more, {b} its number.
        right: keys of the three convolutions and norms of a branch; whole: the same in a stage's first block.
        left: of the two of the other branch, which the first block has; head: key of the last layer.
    """

    suffix: str
    stem: tuple[str, str]
    stem_relu: bool
    block: str
    right: tuple[str, ...]
    whole: tuple[str, ...]
    left: tuple[str, ...]
    last: tuple[str, str]
    head: str


_RESIDUAL = ("residual.0", "residual.1", "residual.3", "residual.4", "residual.5", "residual.6")
_SHORTCUT = ("shortcut.0", "shortcut.1", "shortcut.2", "shortcut.3")
SHUFFLE = (
    ShuffleSpelling(
        "", ("conv1", "bn1"), True, "layer{s}.{b}", ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3"),
        ("conv3", "bn3", "conv4", "bn4", "conv5", "bn5"), ("conv1", "bn1", "conv2", "bn2"), ("conv2", "bn2"),
        "linear",
    ),
    ShuffleSpelling(
        "-residual", ("pre.0", "pre.1"), False, "stage{s1}.{b}", _RESIDUAL, _RESIDUAL, _SHORTCUT,
        ("conv5.0", "conv5.1"), "fc",
    ),
)  # fmt: skip


def shufflenet(shapes: Shapes, n_classes: int, spelling: ShuffleSpelling) -> tuple[str, Steps] | None:
    """A ShuffleNetV2 with a 3 x 3 stem of stride 1, no max-pool, and three stages."""

    def weight(key: str) -> Shape:
        return shapes.get(f"{key}.weight", ())

    def conv(key: str, a: int, kernel: int = 1, stride: int = 1) -> Conv:
        depthwise = kernel == 3
        b = a if depthwise else weight(key)[0]
        return Conv(key, a, b, kernel, stride, f"{key}.bias" in shapes, a if depthwise else 1)

    stem, last = weight(spelling.stem[0]), weight(spelling.last[0])
    if len(stem) != 4 or len(last) != 4 or not weight(spelling.head):
        return None
    first = Conv(spelling.stem[0], stem[1], stem[0], bias=f"{spelling.stem[0]}.bias" in shapes)
    table: list[Step] = [first, Norm(spelling.stem[1], stem[0]), *(["relu"] if spelling.stem_relu else [])]
    a = stem[0]
    for stage in (1, 2, 3):
        block = 0
        while True:
            at = spelling.block.format(s=stage, s1=stage + 1, b=block)
            right = [f"{at}.{key}" for key in (spelling.right if block else spelling.whole)]
            left = [f"{at}.{key}" for key in spelling.left]
            if any(len(weight(key)) != 4 for key in right[::2]):
                break
            if not block and any(len(weight(key)) != 4 for key in left[::2]):
                return None
            width, stride = (a // 2, 1) if block else (a, 2)
            c, b = weight(right[0])[0], weight(right[4])[0]
            branch = (
                conv(right[0], width), Norm(right[1], c), "relu", conv(right[2], c, 3, stride),
                Norm(right[3], c), conv(right[4], c), Norm(right[5], b), "relu",
            )  # fmt: skip
            if block:
                table += [Join((("front",), ("behind", *branch))), "shuffle"]
            else:
                half = weight(left[2])[0]
                other = (
                    conv(left[0], a, 3, 2), Norm(left[1], a), conv(left[2], a), Norm(left[3], half), "relu"
                )  # fmt: skip
                table += [Join((other, branch)), "shuffle"]
                a = half + b
            block += 1
        if not block:
            return None
    d = last[0]
    table += [conv(spelling.last[0], a), Norm(spelling.last[1], d), "relu", "mean", "flat"]
    return f"shufflenetv2{spelling.suffix}", (*table, Dense(spelling.head, d, n_classes))
