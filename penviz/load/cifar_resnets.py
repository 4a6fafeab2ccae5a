"""ResNets as they are usually trained on CIFAR: a 3 x 3 stem of stride 1 and no max-pool.

The thin ones of He et al. 2016 (section 4.2), 16 to 64 channels, and with the same stem those of its table 1,
64 to 512. Checkpoints differ in the names of their keys and in what the shortcuts do where the width changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Plan:
    """How one of these networks is built.

    Attributes:
        blocks: residual blocks of each stage; width: channels of the first, doubled by each that follows.
        deep: blocks of three convolutions, the last of four times the width.
        shortcut: key of the projections where the width changes, "" for shortcuts without parameters, which
            take every other pixel and fill the new channels with zeros (He et al. 2016, option A).
        head: key of the last layer.
    """

    blocks: tuple[int, ...]
    width: int
    deep: bool
    shortcut: str
    head: str

    @property
    def last(self) -> str:
        """Key of the weight of the last batch norm."""
        return f"layer{len(self.blocks)}.{self.blocks[-1] - 1}.bn{3 if self.deep else 2}.weight"


_WIDE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
_THIN = {depth: ((depth - 2) // 6,) * 3 for depth in (20, 32, 44, 56, 110)}

PLANS = {
    **{f"resnet{d}": Plan(_WIDE[d], 64, d >= 50, "downsample", "fc") for d in _WIDE},
    **{f"resnet{d}-shortcut": Plan(_WIDE[d], 64, d >= 50, "shortcut", "linear") for d in _WIDE},
    **{f"resnet{d}": Plan(_THIN[d], 16, False, "downsample", "fc") for d in _THIN},
    **{f"resnet{d}-identity": Plan(_THIN[d], 16, False, "", "linear") for d in _THIN},
}
"""By the name after "cifar:"."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, or 1 x 1, 3 x 3 and 1 x 1 with four times the width, and a shortcut.

    The stride is that of the 3 x 3 convolution.
    """

    def __init__(self, width_in: int, width: int, stride: int, deep: bool, shortcut: str):
        super().__init__()
        self.stride = stride
        width_out = width * (4 if deep else 1)
        sizes = ((width_in, width, 1, 1), (width, width, 3, stride), (width, width_out, 1, 1))
        plain = ((width_in, width, 3, stride), (width, width, 3, 1))
        self.n_convs = 3 if deep else 2
        for i, (a, b, kernel, step) in enumerate(sizes if deep else plain, start=1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.added = width_out - width_in
        self.shortcut_name = shortcut if stride > 1 or self.added else ""
        if self.shortcut_name:
            projection = nn.Conv2d(width_in, width_out, 1, stride, bias=False)
            self.add_module(shortcut, nn.Sequential(projection, nn.BatchNorm2d(width_out)))

    def forward(self, x: Tensor) -> Tensor:
        """[n, width_in, h, w] -> [n, width_out, h / stride, w / stride]."""
        out = x
        for i in range(1, self.n_convs + 1):
            out = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(out))
            if i < self.n_convs:
                out = F.relu(out)
        if self.shortcut_name:
            x = self.get_submodule(self.shortcut_name)(x)
        elif self.stride > 1 or self.added:
            before = self.added // 2
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before))
        return F.relu(out + x)


class CifarResNet(nn.Module):
    """[n, channels, h, w] -> [n, K]."""

    def __init__(self, plan: Plan, n_classes: int, channels: int):
        super().__init__()
        self.plan = plan
        self.conv1 = nn.Conv2d(channels, plan.width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(plan.width)
        width_in = plan.width
        for stage, n in enumerate(plan.blocks):
            blocks = []
            width = plan.width * 2**stage
            for i in range(n):
                stride = 2 if stage and i == 0 else 1
                blocks.append(ResidualBlock(width_in, width, stride, plan.deep, plan.shortcut))
                width_in = width * (4 if plan.deep else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.add_module(plan.head, nn.Linear(width_in, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, K]."""
        x = F.relu(self.bn1(self.conv1(images)))
        for stage in range(len(self.plan.blocks)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.get_submodule(self.plan.head)(F.adaptive_avg_pool2d(x, 1).flatten(1))
