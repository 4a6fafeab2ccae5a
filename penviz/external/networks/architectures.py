"""Networks by name, and which of them a file's keys and shapes fit.

A name is one of penviz's own (`resnet20`), or carries a prefix: `cifar:resnet18`, `tutorial:mnist`,
`torchvision:alexnet`, `penviz:torchvision:alexnet` (as penviz trains it, with keys of its own),
`timm:resnet50`, `hf:DIR` (a local directory of Hugging Face), and on the command line
`package.module:factory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from penviz.external.networks import fingerprints, known_tables, renamings, tutorial_networks
from penviz.external.networks.builders import Shape, Shapes, builder, input_channels, patch_side, penviz_input
from penviz.external.reader.report import TensorEntry
from penviz.store.run_config import RunError
from penviz.training import models

SAME_KEYS = "cifar:mobilenetv2-features"
"""Has the keys of torchvision's and other strides; only a network for CIFAR is likely to be it."""
MOST_BUILT = 8
"""Architectures of torchvision and timm that are built to compare a file with."""


@dataclass(frozen=True)
class Candidate:
    """How well a file's keys and shapes fit an architecture.

    Attributes:
        name: as `build` takes it.
        n_matched: keys of the network that the file has in the same shape.
        n_keys: keys of the network.
        missing: keys of the network that the file lacks.
        unexpected: keys of the file that the network lacks.
        mismatched: (key, shape in the file, shape in the network).
        evidence: the same in words.
    """

    name: str
    n_matched: int
    n_keys: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, Shape, Shape], ...]
    evidence: str

    @property
    def complete(self) -> bool:
        """Whether every key and shape matches, so that strict loading succeeds."""
        return not (self.missing or self.unexpected or self.mismatched)


class _OnMeta(TorchFunctionMode):
    """Parameters and buffers without memory; unlike `torch.device("meta")` it leaves arithmetic alone.

    RegNets and others compute their widths with small tensors while they are built.
    """

    FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in self.FACTORIES and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def shapes_of(entries: Iterable[TensorEntry]) -> Shapes:
    """Key -> shape of a report's tensors."""
    return {entry.key: tuple(entry.shape) for entry in entries}


def build(
    name: str, n_classes: int, shapes: Shapes | None = None, *, local: bool = False, seed: int = 0
) -> nn.Module:
    """Build a network with initial weights, in evaluation mode, leaving torch's generator as it was.

    Args:
        name: see the module.
        n_classes: K.
        shapes: key -> shape of the file to be loaded, from which the channels and the side of the images
            are taken where they decide the network.
        local: allow `package.module:factory`, which runs code of the user's own.
        seed: of the initial weights.

    Raises:
        RunError: an unknown name, an extra that is not installed, or a network that cannot be built so.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return builder(name, n_classes, shapes or {}, local)().eval()


def input_shape(name: str, network: nn.Module, shapes: Shapes | None = None) -> Shape:
    """(channels, height, width) that a network is usually fed: what its recipe says, else what it is for."""
    prefix, _, rest = name.partition(":")
    shapes = shapes or {key: tuple(t.shape) for key, t in network.state_dict().items()}
    if not rest:
        return penviz_input(shapes)
    side = 32 if prefix == "cifar" else 224
    if prefix == "tutorial":
        channels, side = tutorial_networks.NAMES[rest]
        return channels, side, side
    if prefix == "torchvision":
        side = patch_side(shapes, "encoder.pos_embedding", "conv_proj.weight") or side
        side = 299 if rest.startswith("inception_v3") else side
    known = getattr(network, "pretrained_cfg", None) or {}
    if prefix == "timm" and known.get("input_size"):
        side = _fixed_side(network) or known["input_size"][-1]
    config = getattr(network, "config", None)
    if prefix == "hf" and isinstance(getattr(config, "image_size", None), int):
        side = config.image_size  # type: ignore[union-attr]
    return input_channels(shapes), side, side


def _fixed_side(network: nn.Module) -> int | None:
    size = getattr(getattr(network, "patch_embed", None), "img_size", None)
    return int(size[-1]) if isinstance(size, tuple) else None


@lru_cache(maxsize=256)
def _network_shapes(name: str, n_classes: int, hints: tuple[tuple[str, Shape], ...]) -> Shapes:
    construct = builder(name, n_classes, dict(hints), local=False)
    with torch.random.fork_rng(devices=[]):
        try:
            with _OnMeta():
                network = construct()
        except (RuntimeError, NotImplementedError):  # a network that needs real numbers while it is built
            network = construct()
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


HINTS = ("features.1.weight", "features.9.weight", "encoder.pos_embedding", "conv_proj.weight", "pos_embed")
"""Keys whose shapes decide how a network is built; with the first convolution."""


def network_shapes(name: str, n_classes: int, shapes: Shapes | None = None) -> Shapes:
    """Key -> shape of a network that is not built in memory; kept for the next call."""
    shapes = shapes or {}
    if name.startswith(("cifar:", "tutorial:")):  # their widths are those of the file
        return _network_shapes(name, n_classes, tuple(shapes.items()))
    stem = next((key for key, shape in shapes.items() if len(shape) == 4), "")
    wanted = (*HINTS, "patch_embed.proj.weight", stem)
    hints = tuple((key, shape) for key, shape in shapes.items() if key in wanted)
    return _network_shapes(name, n_classes, hints)


def compare(name: str, own: Shapes, shapes: Shapes) -> Candidate:
    """Hold a file's keys and shapes against a network's.

    `num_batches_tracked` may be missing: torch wrote none before 0.4.1 and loads such files still.
    """
    counters = {k for k in own if k.endswith("num_batches_tracked") and k not in shapes}
    missing = tuple(k for k in own if k not in shapes and k not in counters)
    unexpected = tuple(k for k in shapes if k not in own)
    both = [k for k in own if k in shapes]
    mismatched = tuple((k, shapes[k], own[k]) for k in both if shapes[k] != own[k])
    n_keys, n_matched = len(own) - len(counters), len(both) - len(mismatched)
    if not (missing or unexpected or mismatched):
        evidence = f"all {n_keys} keys and shapes match"
    else:
        evidence = "; ".join(
            [f"{n_matched} of {n_keys} keys and shapes match"]
            + [f"{k} is {_times(a)} in the file, {_times(b)} in the network" for k, a, b in mismatched[:2]]
            + ([f"{len(mismatched) - 2} more shapes differ"] if len(mismatched) > 2 else [])
            + ([f"the file lacks {_some(missing)}"] if missing else [])
            + ([f"the network has no {_some(unexpected)}"] if unexpected else [])
        )
    return Candidate(name, n_matched, n_keys, missing, unexpected, mismatched, evidence)


def _times(shape: Shape) -> str:
    return " x ".join(str(side) for side in shape) or "a single number"


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:2]) + (f" and {len(keys) - 2} more keys" if len(keys) > 2 else "")


def candidates(
    entries: Sequence[TensorEntry],
    n_classes: int | None,
    *,
    trained: str = "",
    most: int = 8,
    least: float = 0.5,
) -> list[Candidate]:
    """Architectures that a file's keys and shapes fit, best first.

    penviz's own and those of public repositories are compared outright. Of torchvision and timm only those
    are built (without memory) whose fingerprint is near that of the file, MOST_BUILT at most.

    Args:
        entries: tensors of a file.
        n_classes: K as the file has it; 1000 is assumed where it is not known, and shown by the evidence.
        trained: the network that penviz trained, where the file names one.
        most: candidates returned.
        least: share of the keys of file and network together that must match.
    """
    shapes, whose = renamings.plain(shapes_of(entries))
    if not shapes:
        return []
    names = list(models.MODELS) if any(key.startswith("features.") for key in shapes) else []
    names += [name for name in known_tables.fitting(shapes) if name != SAME_KEYS or n_classes in (10, 100)]
    names += [f"penviz:{trained}"] if trained.startswith("torchvision:") else []
    ordered = renamings.in_order(shapes)
    found = []
    for name in [*names, *ordered, *fingerprints.nearest(shapes, MOST_BUILT)]:
        try:
            k = n_classes or n_classes_of(name, shapes) or 1000
            own, theirs, of = network_shapes(name, k, shapes), shapes, whose
            if name in ordered:
                theirs, of = renamings.by_order(own, shapes, shapes) or shapes, renamings.OF_TENSORFLOW
            one = compare(name, own, theirs)
            found.append(replace(one, evidence=f"{one.evidence}; key names: {of}") if of else one)
        except (RunError, RuntimeError, ValueError, TypeError, AssertionError):
            continue  # timm is not installed, or no such network fits these sides
    found.sort(key=lambda c: -share(c))  # a stable sort: own names before torchvision's before timm's
    return [candidate for candidate in found if share(candidate) >= least][:most]


def n_classes_of(name: str, shapes: Shapes) -> int | None:
    """K of a network of a public repository that a file fits, from its last layer; None for others."""
    head = shapes.get(known_tables.head_of(name, shapes))
    return head[0] if head else None


def how_to_name(near: str) -> str:
    """What to do with a file that no known network fits; `near` are those that fit in part, with evidence."""
    own = "for a network of your own, --model package.module:Name or --model file.py:Name, what builds it"
    libraries = "name it with --model torchvision:NAME, timm:NAME or hf:DIR where it is one of theirs"
    return f"{libraries}; {own}. {'Near: ' + near if near else 'None that penviz knows is near'}."


def share(candidate: Candidate) -> float:
    """Matching keys as a share of all keys of file and network together (the Jaccard index)."""
    return candidate.n_matched / (candidate.n_keys + len(candidate.unexpected) + len(candidate.mismatched))
