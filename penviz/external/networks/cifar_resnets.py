"""ResNets as they are usually trained on CIFAR: a 3 x 3 stem of stride 1 and no max-pool.

The thin ones of He et al. 2016a (section 4.2), 16 to 64 channels, and with the same stem those of its table
1, 64 to 512; those with the activation in front (He et al. 2016b), and wide ones (Zagoruyko and Komodakis).
Public checkpoints differ in the names of their keys, in what the shortcuts do where the width changes, and in
widths, which are read off the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from penviz.external.networks.layer_tables import Conv, Dense, Norm, Step, Steps, Sum, Widen

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Spelling:
    """The names of the keys, and what goes with them.

    Attributes:
        family: "resnet", "preactresnet" or "wrn"; suffix: of the network's name.
        stem, stem_norm: keys of the first layers; "" where the activation stands in front.
        block: key of a block, with {s} its stage from 1, {s1} one more, {b} its number from 0, {b1} one more.
        conv, norm: keys in it, with {i} from 1, {c} a letter, {j} and {j1} places in a sequence with ReLUs.
        side, side_norm: keys of the projection where the width changes; "" for shortcuts without parameters.
        last: key of the norm before the last layer, "" for none; head: key of the last layer.
        behind: without parameters, whether all channels of zeros come last, or half of them first.
        raw: the projection is fed what enters the block, not its activation.
        late: the second convolution of a block has the stride, and all have biases.
    """

    family: str
    suffix: str
    stem: str
    stem_norm: str
    block: str
    conv: str
    norm: str
    side: str
    side_norm: str
    last: str
    head: str
    behind: bool = False
    raw: bool = False
    late: bool = False

    @property
    def first(self) -> bool:
        """Whether the activation stands in front of the convolutions."""
        return self.family != "resnet"

    def key(self, part: str, stage: int, block: int, i: int = 1) -> str:
        """Key of a part of a block: its i-th convolution or norm, or the projection."""
        names = {"s": stage, "s1": stage + 1, "b": block, "b1": block + 1}
        inside = {"i": i, "c": "abc"[i - 1], "j": 3 * (i - 1), "j1": 3 * (i - 1) + 1}
        return f"{self.block}.{part}".format(**names, **inside)


_PLAIN = ("conv1", "bn1", "layer{s}.{b}", "conv{i}", "bn{i}")
_FIRST = ("conv1", "", "layer{s}.{b}", "conv{i}", "bn{i}")
SPELLINGS = (
    Spelling("resnet", "", *_PLAIN, "downsample.0", "downsample.1", "", "fc"),
    Spelling("resnet", "-shortcut", *_PLAIN, "shortcut.0", "shortcut.1", "", "linear"),
    Spelling("resnet", "-identity", *_PLAIN, "", "", "", "linear"),
    Spelling(
        "resnet", "-residual_function", "conv1.0", "conv1.1", "conv{s1}_x.{b}", "residual_function.{j}",
        "residual_function.{j1}", "shortcut.0", "shortcut.1", "", "fc",
    ),
    Spelling(
        "resnet", "-block1", "conv", "bn", "stage{s}.block{b1}", "conv{i}", "bn{i}", "shortcut.conv",
        "shortcut.bn", "", "fc",
    ),
    Spelling(
        "resnet", "-conv_a", "conv_1_3x3", "bn_1", "stage_{s}.{b}", "conv_{c}", "bn_{c}", "", "", "",
        "classifier", behind=True,
    ),
    Spelling("preactresnet", "", *_FIRST, "shortcut.0", "", "", "linear"),
    Spelling("preactresnet", "-bn", *_FIRST, "shortcut.0", "", "bn", "linear"),
    Spelling("preactresnet", "-downsample", *_FIRST, "downsample.0", "", "bn", "fc", raw=True),
    Spelling(
        "wrn", "", "conv1", "", "block{s}.layer.{b}", "conv{i}", "bn{i}", "convShortcut", "", "bn1", "fc"
    ),
    Spelling("wrn", "-shortcut", *_FIRST, "shortcut.0", "", "bn1", "linear", raw=True, late=True),
)  # fmt: skip

_WIDE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_THIN = {20: (3,) * 3, 32: (5,) * 3, 44: (7,) * 3, 56: (9,) * 3, 110: (18,) * 3}
NAMES = (
    *(f"resnet{d}" for d in (18, 34, 50)),
    *(f"resnet{d}-shortcut" for d in (18, 34, 50)),
    *(f"resnet{d}" for d in _THIN),
    *(f"resnet{d}-identity" for d in _THIN),
    *(f"resnet18{s}" for s in ("-residual_function",)),
    *(f"resnet20{s}" for s in ("-block1", "-conv_a")),
    *(f"preactresnet18{s}" for s in ("", "-bn")),
    "preactresnet20-downsample",
    *(f"wrn28-10{s}" for s in ("", "-shortcut")),
)
"""Usual ones; every depth and width of a family is built."""

_NAME = re.compile(r"(resnet|preactresnet|wrn)(\d+)(?:-(\d+))?(-[a-z_]\w*)?\Z")
_HEADS = ("head.fc", "classifier", "fc", "linear")
"""Keys of the last layer where the body lies under `backbone.`."""


@dataclass(frozen=True)
class Plan:
    """Sizes of a network: blocks and width of each stage, width of the stem, and whether blocks are deep."""

    spelling: Spelling
    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    stem: int
    deep: bool = False
    channels: int = 3

    @property
    def name(self) -> str:
        """After "cifar:"."""
        family = self.spelling.family
        depth = sum(self.blocks) * (3 if self.deep else 2) + (4 if family == "wrn" else 2)
        width = f"-{max(1, self.widths[0] // self.stem)}" if family == "wrn" else ""
        return f"{family}{depth}{width}{self.spelling.suffix}"


def plans(shapes: Shapes) -> list[Plan]:
    """What the keys and widths of a file fit."""
    found = []
    for spelling in SPELLINGS:
        for at in ("", "backbone."):
            heads = _HEADS if at else (spelling.head,)
            head = next((key for key in heads if len(shapes.get(f"{key}.weight", ())) == 2), "")
            moved = _moved(spelling, at, head) if at else spelling
            if head and (plan := _sizes(moved, shapes)):
                found.append(plan)
    return found


def _moved(spelling: Spelling, at: str, head: str) -> Spelling:
    """The same with the body under a prefix."""
    names = ("stem", "stem_norm", "block", "last")
    moved = {name: at + value for name in names if (value := getattr(spelling, name))}
    return replace(spelling, **moved, head=head)


def _sizes(spelling: Spelling, shapes: Shapes) -> Plan | None:
    stem = shapes.get(f"{spelling.stem}.weight", ())
    if any(f"{key}.weight" not in shapes for key in (spelling.stem_norm, spelling.last) if key):
        return None
    blocks: list[int] = []
    widths: list[int] = []

    def weight(stage: int, block: int, i: int = 1) -> Shape:
        return shapes.get(f"{spelling.key(spelling.conv, stage, block, i)}.weight", ())

    while weight(len(blocks) + 1, 0):
        stage = len(blocks) + 1
        widths.append(weight(stage, 0)[0])
        blocks.append(next(b for b in range(1, 1000) if not weight(stage, b)))
    if len(stem) != 4 or stem[2:] != (3, 3) or len(blocks) not in (3, 4):
        return None
    return Plan(spelling, tuple(blocks), tuple(widths), stem[0], bool(weight(1, 0, 3)), stem[1])


def plan_of(name: str, shapes: Shapes) -> Plan | None:
    """The plan of a name, with the sizes of a file where it fits one; None for an unknown name."""
    for plan in plans(shapes):
        if plan.name == name:
            return plan
    match = _NAME.match(name)
    if match is None:
        return None
    family, depth, factor, suffix = match[1], int(match[2]), match[3], match[4] or ""
    spelling = next((s for s in SPELLINGS if (s.family, s.suffix) == (family, suffix)), None)
    if spelling is None or (factor is not None) != (family == "wrn"):
        return None
    if family == "wrn":
        n, width = (depth - 4) // 6, 16 * int(factor)
        usual = Plan(spelling, (n,) * 3, (width, 2 * width, 4 * width), 16) if n > 0 and width else None
    elif depth in _WIDE:
        usual = Plan(spelling, _WIDE[depth], (64, 128, 256, 512), 64, depth >= 50)
    else:
        n = (depth - 2) // 6
        usual = Plan(spelling, (n,) * 3, (16, 32, 64), 16) if n > 0 else None
    return usual if usual is not None and usual.name == name else None


def steps(plan: Plan, n_classes: int) -> Steps:
    """The table of a network."""
    spelling, width = plan.spelling, plan.stem
    table: list[Step] = [Conv(spelling.stem, plan.channels, width, bias=spelling.late)]
    if not spelling.first:
        table += [Norm(spelling.stem_norm, width), "relu"]
    for stage, (n, inner) in enumerate(zip(plan.blocks, plan.widths, strict=True), start=1):
        for block in range(n):
            table += _block(plan, stage, block, width, inner)
            width = inner * (4 if plan.deep else 1)
    if spelling.last:
        table += [Norm(spelling.last, width), "relu"]
    return (*table, "mean", "flat", Dense(spelling.head, width, n_classes))


def _block(plan: Plan, stage: int, block: int, a: int, inner: int) -> Steps:
    """A block from a channels to `inner`, or four times as many behind a bottleneck."""
    spelling = plan.spelling
    b, stride = inner * (4 if plan.deep else 1), 2 if stage > 1 and block == 0 else 1
    sizes = [(a, b, 3, stride), (b, b, 3, 1)]
    if spelling.late:
        sizes = [(a, b, 3, 1), (b, b, 3, stride)]
    if plan.deep:
        sizes = [(a, inner, 1, 1), (inner, inner, 3, stride), (inner, b, 1, 1)]
    main: list[Step] = []
    for i, size in enumerate(sizes, start=1):
        conv = Conv(spelling.key(spelling.conv, stage, block, i), *size, bias=spelling.late)
        norm = spelling.key(spelling.norm, stage, block, i)
        if spelling.first:
            main += [Norm(norm, size[0]), "relu", conv]
        else:
            main += [conv, Norm(norm, size[1]), "relu"]
    side = _side(spelling, stage, block, (a, b, stride)) if stride > 1 or a != b else ()
    if not spelling.first:
        return (Sum(tuple(main[:-1]), side), "relu")
    if side and not spelling.raw:
        return (*main[:2], Sum(tuple(main[2:]), side))
    return (Sum(tuple(main), side),)


def _side(spelling: Spelling, stage: int, block: int, size: tuple[int, int, int]) -> Steps:
    a, b, stride = size
    if not spelling.side:
        front = 0 if spelling.behind else (b - a) // 2
        return (Widen(front, b - a - front),)
    conv = Conv(spelling.key(spelling.side, stage, block), a, b, 1, stride, bias=spelling.late)
    if not spelling.side_norm:
        return (conv,)
    return (conv, Norm(spelling.key(spelling.side_norm, stage, block), b))
