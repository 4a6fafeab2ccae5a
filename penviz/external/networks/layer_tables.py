"""A network as a table of layers: their keys and sizes, and what is done between them.

Public checkpoints differ in the names of their keys far more than in what they compute. A table gives both
in a few lines, so that a file is loaded strictly under its own keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Conv:
    """A convolution from a to b channels, padded by half its kernel unless `padding` says else."""

    key: str
    a: int
    b: int
    kernel: int = 3
    stride: int = 1
    bias: bool = False
    groups: int = 1
    padding: int = -1

    def build(self) -> nn.Module:
        """The layer."""
        padding = self.kernel // 2 if self.padding < 0 else self.padding
        return nn.Conv2d(
            self.a, self.b, self.kernel, self.stride, padding, groups=self.groups, bias=self.bias
        )


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of n channels."""

    key: str
    n: int

    def build(self) -> nn.Module:
        """The layer."""
        return nn.BatchNorm2d(self.n)


@dataclass(frozen=True)
class Dense:
    """A linear layer from a to b."""

    key: str
    a: int
    b: int

    def build(self) -> nn.Module:
        """The layer."""
        return nn.Linear(self.a, self.b)


@dataclass(frozen=True)
class Sum:
    """Two branches from the same input, added; an empty one is the identity."""

    main: Steps
    side: Steps = ()


@dataclass(frozen=True)
class Join:
    """Branches from the same input, their channels one behind the other."""

    branches: tuple[Steps, ...]


@dataclass(frozen=True)
class Widen:
    """Every other pixel, and channels of zeros in front and behind (He et al. 2016, option A)."""

    front: int
    behind: int


Layer = Conv | Norm | Dense
Step = Conv | Norm | Dense | Sum | Join | Widen | str
Steps = tuple[Step, ...]


def _shuffle(x: Tensor) -> Tensor:
    """Channels of the two halves in turn (Ma et al. 2018, figure 3)."""
    halves: Tensor = torch.unflatten(x, 1, (2, -1))
    return halves.transpose(1, 2).flatten(1, 2)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "max": lambda x: F.max_pool2d(x, 2),
    "max 4": lambda x: F.max_pool2d(x, 4),
    "max of 3": lambda x: F.max_pool2d(x, 3, 2, 1),
    "mean of 2": lambda x: F.avg_pool2d(x, 2),
    "mean": lambda x: F.adaptive_avg_pool2d(x, 1),
    "flat": lambda x: x.flatten(1),
    "log softmax": lambda x: F.log_softmax(x, 1),
    "to 32": lambda x: F.pad(x, (2, 2, 2, 2)) if x.shape[-1] == 28 else x,
    "front": lambda x: x.chunk(2, 1)[0],
    "behind": lambda x: x.chunk(2, 1)[1],
    "shuffle": _shuffle,
}
"""What stands in a table between the layers."""


class TableNetwork(nn.Module):
    """[n, channels, h, w] -> [n, K], as a table says."""

    def __init__(self, steps: Steps):
        super().__init__()
        self.steps = steps
        for layer in layers(steps):
            *path, last = layer.key.split(".")
            module: nn.Module = self
            for name in path:
                if name not in module._modules:
                    module.add_module(name, nn.Module())
                module = module.get_submodule(name)
            module.add_module(last, layer.build())

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, K]."""
        return self._run(self.steps, images)

    def _run(self, steps: Steps, x: Tensor) -> Tensor:
        for step in steps:
            if isinstance(step, str):
                x = FUNCTIONS[step](x)
            elif isinstance(step, Sum):
                x = self._run(step.main, x) + self._run(step.side, x)
            elif isinstance(step, Join):
                x = torch.cat([self._run(branch, x) for branch in step.branches], 1)
            elif isinstance(step, Widen):
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, step.front, step.behind))
            else:
                x = self.get_submodule(step.key)(x)
        return x


def layers(steps: Steps) -> Iterator[Layer]:
    """All layers of a table, in order."""
    for step in steps:
        if isinstance(step, Sum):
            yield from layers(step.main)
            yield from layers(step.side)
        elif isinstance(step, Join):
            for branch in step.branches:
                yield from layers(branch)
        elif not isinstance(step, str | Widen):
            yield step
