"""ResNets as they are usually trained on CIFAR: a 3 x 3 stem of stride 1, no max-pool, 64 to 512 channels.

He et al. 2016 (section 3.3, table 1) with the stem of their CIFAR networks (section 4.2). Checkpoints of them
go under two sets of key names: those of torchvision (`downsample`, `fc`) and `shortcut`, `linear`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Residual blocks of the four stages, by depth."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, or 1 x 1, 3 x 3 and 1 x 1 with four times the width, and a projected shortcut.

    The stride is that of the 3 x 3 convolution.
    """

    def __init__(self, width_in: int, width: int, stride: int, deep: bool, shortcut: str):
        super().__init__()
        width_out = width * (4 if deep else 1)
        sizes = ((width_in, width, 1, 1), (width, width, 3, stride), (width, width_out, 1, 1))
        plain = ((width_in, width, 3, stride), (width, width, 3, 1))
        self.n_convs = 3 if deep else 2
        for i, (a, b, kernel, step) in enumerate(sizes if deep else plain, start=1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.shortcut_name = shortcut if stride > 1 or width_in != width_out else ""
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
        return F.relu(out + (self.get_submodule(self.shortcut_name)(x) if self.shortcut_name else x))


class CifarResNet(nn.Module):
    """[n, channels, h, w] -> [n, K]; `shortcut` and `head` are the key names that differ between files."""

    def __init__(self, depth: int, n_classes: int, channels: int, shortcut: str, head: str):
        super().__init__()
        deep = depth >= 50
        self.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        width_in = 64
        for stage, n in enumerate(BLOCKS[depth]):
            blocks = []
            for i in range(n):
                width = 64 * 2**stage
                blocks.append(ResidualBlock(width_in, width, 2 if stage and i == 0 else 1, deep, shortcut))
                width_in = width * (4 if deep else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.head_name = head
        self.add_module(head, nn.Linear(width_in, n_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, K]."""
        x = F.relu(self.bn1(self.conv1(images)))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.get_submodule(self.head_name)(F.adaptive_avg_pool2d(x, 1).flatten(1))


CIFAR_NAMES = {
    **{f"resnet{depth}": (depth, "downsample", "fc") for depth in BLOCKS},
    **{f"resnet{depth}-shortcut": (depth, "shortcut", "linear") for depth in BLOCKS},
}
"""Name after "cifar:" -> depth and the two key names."""
