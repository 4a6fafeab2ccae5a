"""What enters the layers of a network while it runs, and which matrices with K rows they own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from penviz.external.evidence.batches import Inputs
from penviz.external.evidence.outputs import run


@contextmanager
def inputs(modules: dict[str, nn.Module], only_last: bool = False) -> Iterator[list[tuple[str, Tensor]]]:
    """Clones of the first tensor that enters each module, in the order of the calls."""
    seen: list[tuple[str, Tensor]] = []
    hooks = []
    for name, module in modules.items():

        def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], name: str = name) -> None:
            x = next((a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)
            if x is not None and x.is_floating_point():
                if only_last:
                    seen.clear()
                seen.append((name, x.detach().clone()))  # some networks change their input in place

        hooks.append(module.register_forward_pre_hook(note, with_kwargs=True, prepend=False))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def matrices(module: nn.Module, n_classes: int) -> Iterator[tuple[Tensor, str]]:
    """Matrices [K, d] that a module owns, parametrisations applied, and the kind of layer they make.

    A parameter of another name may lie transposed, as some margin heads keep it.
    """
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim >= 2 and len(weight) == n_classes:
        if weight.ndim == 2:
            yield weight, "linear"
        elif weight.ndim == 4 and weight.shape[2:] == (1, 1) and getattr(module, "groups", 1) == 1:
            yield weight.flatten(1), "1x1 convolution"
    for name, own in module.named_parameters(recurse=False):
        if name != "weight" and own.ndim == 2:
            if own.shape[0] == n_classes:
                yield own, "linear"
            if own.shape[1] == n_classes:
                yield own.T, "linear"


def pooled(x: Tensor, width: int, kind: str) -> tuple[Tensor, bool] | None:
    """[n, d] of an input, averaged over its positions: a linear layer commutes with that mean."""
    if kind == "1x1 convolution" and x.ndim == 4 and x.shape[1] == width:
        return x.mean((2, 3)), x.shape[2:] != (1, 1)
    if kind == "linear" and x.ndim >= 2 and x.shape[-1] == width:
        return x.flatten(1, -2).mean(1) if x.ndim > 2 else x, x.ndim > 2
    return None


def owners(network: nn.Module, n_classes: int) -> dict[str, nn.Module]:
    """Modules by name that own a matrix with K rows, and so may be a head."""
    named = network.named_modules()
    return {name: module for name, module in named if any(True for _ in matrices(module, n_classes))}


def last_owner(network: nn.Module, batch: Tensor | Inputs) -> str:
    """Name of the module that ran last of those that own parameters."""
    owners = {
        name: module
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }
    with inputs(owners, only_last=True) as seen:
        run(network, batch)
    return seen[-1][0] if seen else ""


def channels_first(module: nn.Module) -> bool:
    """Whether the second axis of a module's input counts channels, as for convolutions."""
    weight = getattr(module, "weight", None)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return True
    return isinstance(weight, Tensor) and weight.ndim > 2
