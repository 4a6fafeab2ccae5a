"""Changes of a network's body that leave no key in a state dict: pooling, stride of the stem, activation.

A variant works on the functions that a forward pass calls, so that it does not matter whether a network uses
modules or functions. The weights, and with them the keys, stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from penviz.store.run_config import RunError

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky_relu": F.leaky_relu,
    "leaky_relu 0.1": lambda x: F.leaky_relu(x, 0.1),
    "relu6": F.relu6,
}
NAMES = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "relu6": "ReLU6"} | {
    "leaky_relu": "leaky ReLU (0.01)",
    "leaky_relu 0.1": "leaky ReLU (0.1)",
}
CALLED = {"relu": "relu", "relu_": "relu", "gelu": "gelu", "silu": "silu", "relu6": "relu6"} | {
    "leaky_relu": "leaky_relu",
    "leaky_relu_": "leaky_relu",
    "silu_": "silu",
    "relu6_": "relu6",
}
"""Name of a torch function -> activation."""


@dataclass(frozen=True)
class Variant:
    """What differs from the network as built; an empty field changes nothing.

    Attributes:
        pooling: "max" or "mean": of the last global pooling.
        stem_stride: 1 or 2 of the first convolution; 0 as built.
        stem_pool: False leaves out the max-pool after the stem.
        activation: one of ACTIVATIONS in place of the network's most used one.

    Raises:
        RunError: a value out of range.
    """

    pooling: str = ""
    stem_stride: int = 0
    stem_pool: bool = True
    activation: str = ""

    def __post_init__(self) -> None:
        fits = (
            self.pooling in ("", "max", "mean")
            and self.stem_stride in (0, 1, 2)
            and self.activation in ("", *ACTIVATIONS)
            and isinstance(self.stem_pool, bool)
        )
        if not fits:
            raise RunError(f"There is no variant {dataclasses.asdict(self)}.")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json` can write and `Variant(**...)` reads."""
        return dataclasses.asdict(self)

    def describe(self) -> str:
        """In words; "as built" when nothing differs."""
        parts = [f"{self.pooling} pooling"] if self.pooling else []
        parts += [f"stem stride {self.stem_stride}"] if self.stem_stride else []
        parts += [] if self.stem_pool else ["no max-pool after the stem"]
        parts += [NAMES[self.activation]] if self.activation else []
        return ", ".join(parts) or "as built"


@dataclass
class Seen:
    """What a forward pass did: activations by number of calls, global pools, and the stem."""

    activations: Counter[str]
    pools: list[str]
    stem_stride: int = 0
    stem_kernel: int = 0
    convolutions: int = 0
    stem_pools: int = 0


def _pool_kind(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """ "mean" or "max" for a call that pools a whole map [n, c, h, w] (or [n, h, w, c]), "" for others."""
    x = args[0] if args else kwargs.get("input")
    if not isinstance(x, Tensor) or x.ndim != 4:
        return ""
    if name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        size = args[1] if len(args) > 1 else kwargs.get("output_size")
        whole = size in (1, (1, 1), [1, 1], (None, 1), torch.Size([1, 1]))
        return ("mean" if "avg" in name else "max") if whole else ""
    if name in ("avg_pool2d", "max_pool2d"):
        kernel = args[1] if len(args) > 1 else kwargs.get("kernel_size")
        sides = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel or ())
        whole = sides == tuple(x.shape[2:]) and sides[0] > 1
        return ("mean" if name.startswith("avg") else "max") if whole else ""
    if name in ("mean", "amax"):
        return ("mean" if name == "mean" else "max") if _axes(args, kwargs) else ""
    return ""


def _axes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    axes = kwargs.get("dim", args[1:] if len(args) > 2 else args[1] if len(args) > 1 else ())
    listed = (
        tuple(sorted(a % 4 for a in axes if isinstance(a, int))) if isinstance(axes, tuple | list) else ()
    )
    return listed if listed in ((2, 3), (1, 2)) else ()


class _Watch(TorchFunctionMode):
    """Notes in `seen` what a forward pass calls."""

    def __init__(self, seen: Seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, seen = kwargs or {}, self.seen
        name = getattr(func, "__name__", "")
        if name in CALLED:
            seen.activations[CALLED[name]] += 1
        elif kind := _pool_kind(name, args, kwargs):
            seen.pools.append(kind)
        elif name == "conv2d":
            seen.convolutions += 1
            if seen.convolutions == 1:
                stride = args[3] if len(args) > 3 else kwargs.get("stride", 1)
                seen.stem_stride = stride if isinstance(stride, int) else int(stride[0])
                seen.stem_kernel = int(args[1].shape[-1])
        elif name.startswith("max_pool2d") and seen.convolutions <= 1:
            seen.stem_pools += 1
        return func(*args, **kwargs)


class _Change(_Watch):
    """Carries a variant out while it counts the calls."""

    def __init__(self, variant: Variant, n_pools: int, activation: str):
        super().__init__(Seen(Counter(), []))
        self.variant, self.n_pools, self.activation = variant, n_pools, activation

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, variant, seen = dict(kwargs or {}), self.variant, self.seen
        name = getattr(func, "__name__", "")
        if variant.activation and CALLED.get(name) == self.activation:
            return ACTIVATIONS[variant.activation](args[0] if args else kwargs["input"])
        if not variant.stem_pool and name.startswith("max_pool2d") and seen.convolutions == 1:
            return args[0]
        if variant.stem_stride and name == "conv2d" and seen.convolutions == 0:
            seen.convolutions = 1
            args = list(args)
            if len(args) > 3:
                args[3] = variant.stem_stride
            else:
                kwargs["stride"] = variant.stem_stride
            return func(*args, **kwargs)
        if variant.pooling and _pool_kind(name, args, kwargs):
            seen.pools.append(name)
            if len(seen.pools) == self.n_pools:
                return self._pool(name, args, kwargs)
            return func(*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)

    def _pool(self, name: str, args: Any, kwargs: dict[str, Any]) -> Tensor:
        x = args[0] if args else kwargs["input"]
        axes = (2, 3) if "pool2d" in name else _axes(args, kwargs)
        keep = "pool2d" in name or bool(kwargs.get("keepdim", False))
        pooled: Tensor = (
            x.amax(axes, keepdim=keep) if self.variant.pooling == "max" else x.mean(axes, keepdim=keep)
        )
        return pooled


@torch.no_grad()
def watch(network: nn.Module, batch: Tensor) -> Seen:
    """What a forward pass in evaluation mode calls."""
    seen = Seen(Counter(), [])
    with _Watch(seen):
        network.eval()(batch)
    return seen


def plausible(network: nn.Module, batch: Tensor) -> list[Variant]:
    """Variants that a network's forward pass leaves room for, the network as built first; one change each."""
    seen = watch(network, batch)
    found = [Variant()]
    if seen.pools:
        found.append(Variant(pooling="mean" if seen.pools[-1] == "max" else "max"))
    if seen.stem_kernel > seen.stem_stride:  # a patch embedding does not overlap: its stride is its size
        found.append(Variant(stem_stride=1 if seen.stem_stride > 1 else 2))
    if seen.stem_pools:
        found.append(Variant(stem_pool=False))
        if seen.stem_stride > 1:
            found.append(Variant(stem_stride=1, stem_pool=False))
    if seen.activations:
        used = seen.activations.most_common(1)[0][0]
        found += [Variant(activation=name) for name in ACTIVATIONS if name != used]
    return [variant for variant in found if _runs(network, variant, batch)]


@torch.no_grad()
def _runs(network: nn.Module, variant: Variant, batch: Tensor) -> bool:
    """Whether the shapes still fit: a dense layer after the map allows no other stride."""
    try:
        with varied(network, variant, batch):
            network(batch)
    except (RuntimeError, ValueError):
        return False
    return True


@contextmanager
def varied(network: nn.Module, variant: Variant, batch: Tensor) -> Iterator[nn.Module]:
    """The network with a variant in force; `batch` shows which call is the last pool and which activation.

    Raises:
        RunError: the network has nothing that the variant changes.
    """
    if variant == Variant():
        yield network
        return
    seen = watch(network, batch[:2])
    activation = seen.activations.most_common(1)[0][0] if seen.activations else ""
    if (variant.pooling and not seen.pools) or (variant.activation and not activation):
        raise RunError(f"The network has nothing to change for {variant.describe()}.")
    original = network.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with _Change(variant, len(seen.pools), activation):
            return original(*args, **kwargs)

    network.forward = forward
    try:
        yield network
    finally:
        del network.forward
