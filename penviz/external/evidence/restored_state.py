"""A network, its loaders and the random numbers as they were, whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penviz.external.evidence.loaders import generators
from penviz.store.run_config import RunError


@contextmanager
def restored(
    network: nn.Module, loaders: Iterable[Any], device: torch.device | None = None
) -> Iterator[None]:
    """Put back mode, device and random state when the block ends, or is left by an exception.

    Within the block the network is on `device` and in evaluation mode, no gradients are kept, and what was
    compiled runs as it was written: hooks that are set after a compilation would not be called.

    Raises:
        RunError: a network on several devices that is to be moved to one, or a device that is not there.
    """
    with ExitStack() as stack:
        stack.enter_context(_random_state(loaders, device or device_of(network)))
        stack.enter_context(_modes(network))
        stack.enter_context(_on(network, device))
        if any(_is_compiled(module) for module in network.modules()):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(torch.no_grad())
        network.eval()
        yield


def device_of(network: nn.Module) -> torch.device:
    """Of the first parameter or buffer; the CPU where there are none."""
    first = next((t for ts in (network.parameters(), network.buffers()) for t in ts), None)
    return torch.device("cpu") if first is None else first.device


@contextmanager
def _random_state(loaders: Iterable[Any], device: torch.device) -> Iterator[None]:
    """Of Python, NumPy, torch on the CPU and the accelerator, and the loaders' own generators."""
    own = [(g, g.get_state()) for loader in loaders for g in generators(loader)]
    cuda = device.type == "cuda" or torch.cuda.is_initialized()  # type: ignore[no-untyped-call,unused-ignore]
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cuda = torch.cuda.get_rng_state_all() if cuda else []
    on_mps = torch.mps.get_rng_state() if device.type == "mps" else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(on_cuda)
        if on_mps is not None:
            torch.mps.set_rng_state(on_mps)
        for generator, state in own:
            generator.set_state(state)


@contextmanager
def _modes(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _on(network: nn.Module, device: torch.device | None) -> Iterator[None]:
    """The network on a device; its own tensors stay where they are, and are put back."""
    own = {t.device for ts in (network.parameters(), network.buffers()) for t in ts}
    if device is None or own <= {device}:
        yield
        return
    if len(own) > 1:
        raise RunError("The network is spread over several devices: leave device= out.")
    with ExitStack() as stack:
        try:
            stack.enter_context(changed(network, lambda t: t.to(device)))
        except (RuntimeError, AssertionError) as error:
            said = " ".join(str(error).split())[:200].rstrip(".")
            raise RunError(f"The network cannot be moved to {device}: {said}.") from error
        yield


@contextmanager
def changed(network: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Parameters and buffers with other numbers in them, and then with the very ones that they had."""
    tensors = [*network.parameters(), *network.buffers()]
    kept = [tensor.data for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.data = change(tensor.data)
        yield
    finally:
        for tensor, data in zip(tensors, kept, strict=True):
            tensor.data = data


def _is_compiled(module: nn.Module) -> bool:
    in_place = getattr(module, "_compiled_call_impl", None) is not None
    return in_place or getattr(module, "_orig_mod", None) is not None


def as_float32(network: nn.Module) -> AbstractContextManager[None]:
    """Parameters and buffers of float16 or bfloat16 as float32, for a while."""
    return changed(network, lambda t: t.float() if t.dtype in (torch.float16, torch.bfloat16) else t)
