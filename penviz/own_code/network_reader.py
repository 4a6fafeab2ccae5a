"""How a network in memory is read: its head proved, its inputs on its device and of its precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from penviz.external.evidence.batches import BatchReader, Inputs, joined
from penviz.external.evidence.head import HeadProof, NoHead, prove_head
from penviz.external.evidence.layer_inputs import last_owner
from penviz.external.evidence.outputs import kind_of_scores, run, unwrap
from penviz.external.evidence.restored_state import as_float32, device_of
from penviz.store.run_config import RunError

Layer: TypeAlias = str | nn.Module | Literal[False] | None
"""The layer that is tried as a head: a dotted name or a module, False for none, None to find it."""

PROOF_EXAMPLES = 16
"""Examples on which the head is sought and tried: the first ones of the first split."""


@dataclass(frozen=True)
class NetworkReader:
    """A network, and all that is needed to feed it.

    Attributes:
        network: wrappers undone; proof: its head, or why there is none; reader: of its batches.
        device: that inputs go to; dtype: that their real numbers are cast to, or None for as they come.
        n_classes: K; class_names: K names, or () where the user gave none.
    """

    network: nn.Module
    proof: HeadProof | NoHead
    reader: BatchReader
    device: torch.device
    dtype: torch.dtype | None
    n_classes: int

    def inputs(self, x: Inputs) -> Inputs:
        """On the network's device, and of its precision."""
        x = x.map(lambda t: t.to(self.device, non_blocking=True))
        return x if self.dtype is None else x.cast(self.dtype)


def find_head(
    model: nn.Module,
    reader: BatchReader,
    first: Sequence[Inputs],
    head: Layer,
    device: torch.device | None = None,
) -> NetworkReader:
    """Find and prove the head on some batches, in float32 or better and outside of any autocast.

    Args:
        model: in evaluation mode; reader: of its batches; first: inputs of some batches.
        head, device: as of `capture`.

    Raises:
        RunError: no batches, fewer than two examples, a layer that is not there, a network that does not run.
    """
    network = unwrap(model)
    if not first:
        raise RunError("The loader has no batches.")
    x = joined(first).rows(slice(PROOF_EXAMPLES))
    if len(x) < 2:
        raise RunError("At least two examples of one shape are needed to prove the head.")
    at = device or device_of(network)
    types = {t.dtype for t in network.parameters() if t.is_floating_point()}
    few = bool(types) and types <= {torch.float16, torch.bfloat16}
    x = x.map(lambda t: t.to(at))
    own = types.pop() if len(types) == 1 else None
    fed = own if own is not None and not torch.is_autocast_enabled(at.type) else None
    half = len(x) // 2 if len(x) >= 4 else 0
    with _exact(at), as_float32(network):
        x = x.cast(torch.float32) if few else x if fed is None else x.cast(fed)
        given, fresh = (x.rows(slice(half)), x.rows(slice(half, None))) if half else (x, x.map(_mixed))
        if head is False:
            scores = run(network, given)
            said = "No head was asked for: class means stand in for the templates."
            proof: HeadProof | NoHead = NoHead(said, last_owner(network, given), kind_of_scores(scores))
        else:
            only = None if head is None else _name_of(network, head)
            proof = prove_head(network, given, fresh, only)
        n_classes = run(network, given).shape[1]
    if n_classes < 2:
        raise RunError("The network has one output, and classes need at least two: give it one a class.")
    return NetworkReader(network, proof, reader, at, fed, n_classes)


def _mixed(t: Tensor) -> Tensor:
    return (t + t.roll(1, 0)) / 2 if t.is_floating_point() else t.roll(1, 0)


@contextmanager
def _exact(device: torch.device) -> Iterator[None]:
    """No autocast, and no TensorFloat-32 in matrix products, which rounds to ten bits."""
    precision = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def _name_of(network: nn.Module, head: str | nn.Module) -> str:
    """Dotted name of a module within a network, wrappers undone."""
    names = {name: module for name, module in network.named_modules() if name}
    found: str | None
    if isinstance(head, nn.Module):
        inner = unwrap(head)
        found = next((name for name, module in names.items() if module is inner), None)
    else:
        inner_name = str(head).replace("_orig_mod.", "")
        found = next(
            (n for n in (str(head), inner_name, inner_name.removeprefix("module.")) if n in names), None
        )
    if found is None:
        last = ", ".join(list(names)[-5:])
        asked = head if isinstance(head, str) else type(head).__name__
        raise RunError(f"The network has no layer {asked} to take as its head; its last ones are {last}.")
    return found
