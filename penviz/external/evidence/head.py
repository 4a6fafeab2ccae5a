"""The last linear layer of any classifier, proved by a forward pass and not guessed by a name.

A candidate is any module that owns a matrix with K rows. It is accepted when, with h the (cloned) input of
that module in evaluation mode, s (W h + b) equals the logits. Nothing in a state dict says that much: a
network may average two heads, apply a ReLU after its last convolution, or divide by a norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penviz.external.evidence.batches import Inputs
from penviz.external.evidence.layer_inputs import channels_first, inputs, last_owner, matrices, owners, pooled
from penviz.external.evidence.outputs import as_logits, kind_of_scores, run, unwrap
from penviz.external.evidence.restored_state import changed
from penviz.store.head import Head
from penviz.store.run_config import RunError

TOLERANCE = 1e-4
"""Largest norm of s (W h + b) - logits, relative to that of the logits less their mean over the classes."""

Batch: TypeAlias = Tensor | Inputs
"""Images, or whatever else a network is called with."""

TOLERANCE_OF_CHANGE = 1e-2
"""The same relative to the logits less their mean over the examples: what the image decides."""


@dataclass(frozen=True)
class HeadProof:
    """A head that reproduces a network's logits.

    Attributes:
        module: dotted name within the network, wrappers undone.
        kind: "linear", "1x1 convolution" or "cosine".
        scale: s; 1 unless the network multiplies its logits, fitted by least squares.
        deviation: relative, the larger of that on the given and on fresh inputs.
        head: weight [K, d] with s multiplied in (for "cosine" s times unit rows), bias [K] or none.
        averaged: whether h is the mean over positions of what enters the module.
        outputs: what the network returns: "logits", "log-probabilities" or "probabilities".
    """

    module: str
    kind: str
    scale: float
    deviation: float
    head: Head
    averaged: bool = False
    outputs: str = "logits"

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        return {
            "module": self.module,
            "kind": self.kind,
            "scale": self.scale,
            "deviation": self.deviation,
            "averaged": self.averaged,
            "outputs": self.outputs,
            "shape": list(self.head.weight.shape),
        }


@dataclass(frozen=True)
class NoHead:
    """A network without a single linear head, so that class means stand in for its templates.

    Attributes:
        sentence: why, for the user.
        module: the module that ran last and owns parameters; the features are its input, averaged over
            positions.
        outputs: as in HeadProof.
    """

    sentence: str
    module: str
    outputs: str = "logits"

    def to_json(self) -> dict[str, Any]:
        """The sentence and where the features come from."""
        return {"kind": "none", "sentence": self.sentence, "module": self.module, "outputs": self.outputs}


@dataclass(frozen=True)
class _Trial:
    """One reading of a module: its matrix, bias and input [n, d]."""

    module: str
    kind: str
    weight: Tensor
    bias: Tensor | None
    features: Tensor
    averaged: bool


def _deviation(made: Tensor, logits: Tensor) -> float:
    """Largest of the two relative deviations in units of TOLERANCE's; infinity where nothing can be said."""
    error = (made - logits).norm()
    spread = (logits - logits.mean(1, keepdim=True)).norm()
    change = (logits - logits.mean(0, keepdim=True)).norm()
    if not (spread > 0 and change > 0 and torch.isfinite(error)):
        return float("inf")
    return float(max(error / spread, error / change * (TOLERANCE / TOLERANCE_OF_CHANGE)))


def _scaled(made: Tensor, logits: Tensor) -> float:
    """Least-squares s of s * made = logits, 1 where that already holds."""
    if _deviation(made, logits) < TOLERANCE:
        return 1.0
    return float((made * logits).sum() / (made * made).sum().clamp_min(torch.finfo(made.dtype).tiny))


def _explain(trial: _Trial, logits: Tensor, centred: bool) -> tuple[str, float, float, Tensor, Tensor | None]:
    """Best reading of a trial: kind, s, deviation, weight and bias with s multiplied in.

    Tried are s (W h + b); s W/|W| h; and s (W/|W|) (h/|h|), the cosine heads (NormFace, Wang et al. 2017,
    equation 6; ArcFace, Deng et al. 2019). The rows of W are its templates.
    """
    h = trial.features.double()
    weight = trial.weight.detach().double()
    bias = None if trial.bias is None else trial.bias.detach().double()
    unit, unit_h = F.normalize(weight, dim=1), F.normalize(h, dim=1)
    readings = [(trial.kind, h, weight, bias), (trial.kind, h, unit, None), ("cosine", unit_h, unit, None)]
    results = []
    for kind, x, w, b in readings:
        made = x @ w.T if b is None else x @ w.T + b
        target = logits
        if centred:  # the softmax took a number a row away
            made, target = made - made.mean(1, keepdim=True), logits - logits.mean(1, keepdim=True)
        s = _scaled(made, target)
        deviation = _deviation(s * made, target)
        results.append((kind, s, deviation, s * w, None if b is None else s * b))
        if deviation < TOLERANCE:
            break
    return min(results, key=lambda result: result[2])


def _try(module: nn.Module, seen: Tensor, name: str, n_classes: int) -> Iterator[_Trial]:
    for weight, kind in matrices(module, n_classes):
        reading = pooled(seen, weight.shape[1], kind)
        bias = getattr(module, "bias", None)
        fits = isinstance(bias, Tensor) and bias.shape == (n_classes,)
        if reading is not None:
            yield _Trial(name, kind, weight, bias if fits else None, *reading)


@torch.no_grad()
def prove_head(
    network: nn.Module, batch: Batch, fresh: Batch | None = None, only: str | None = None
) -> HeadProof | NoHead:
    """Find the layer whose s (W h + b) equals the logits; the last one to run where there are several.

    Args:
        network: any classifier; wrappers are seen through, and it is put into evaluation mode.
        batch: [n, channels, height, width], n at least 2, as the network is fed; or any other inputs.
        fresh: other images on which an accepted head is tried again; made from `batch` by mirroring it and
            mixing its pairs when not given. Needed for inputs that are no images.
        only: dotted name of the one layer that is tried; all of them when None.

    Returns:
        The proof, or NoHead with one sentence.

    Raises:
        RunError: the network does not run on such images, or returns no class scores.
    """
    network = unwrap(network).eval()
    if fresh is None:
        assert isinstance(batch, Tensor)
        fresh = (batch + batch.roll(1, 0)).flip(-1) / 2
    scores = run(network, batch)
    if not torch.isfinite(scores).all():
        raise RunError("The network returns NaN or infinity.")
    outputs, n_classes = kind_of_scores(scores), scores.shape[1]
    layers = owners(network, n_classes) if only is None else {only: network.get_submodule(only)}
    found = _search(network, batch, fresh, outputs, layers)
    if isinstance(found, HeadProof):
        return found
    if torch.equal(scores, scores[:1].expand_as(scores)):
        why = "it gives every image the same scores"
    else:
        found = _search_in_float64(network, batch, fresh, outputs, layers, found)
        if isinstance(found, HeadProof):
            return found
        nearest = f"; the nearest is off by {found:.2g} of their spread" if found < 1e3 else ""
        why = f"none of the {len(layers)} layers with {n_classes} rows gives the logits as W h + b{nearest}"
        why = why if layers else f"no layer has {n_classes} rows"
    sentence = f"This network has no single linear head ({why}): class means stand in."
    if only is not None:
        off = f" (they are off by {found:.2g} of the logits' spread)" if found < 1e3 else ""
        sentence = f"{only} does not give the logits as W h + b{off}: class means stand in."
    return NoHead(sentence, last_owner(network, batch) if only is None else only, outputs)


def _search(
    network: nn.Module, batch: Batch, fresh: Batch, outputs: str, layers: dict[str, nn.Module]
) -> HeadProof | float:
    """The last candidate that is accepted on both batches, or the smallest deviation of those refused."""
    with inputs(layers) as seen:
        logits = as_logits(run(network, batch), outputs).double()
    best = float("inf")
    for name, x in reversed(seen):
        for trial in _try(layers[name], x, name, logits.shape[1]):
            kind, scale, deviation, weight, bias = _explain(trial, logits, outputs != "logits")
            if deviation < TOLERANCE:
                head = Head(weight.cpu().numpy(), None if bias is None else bias.cpu().numpy())
                proof = HeadProof(name, kind, scale, deviation, head, trial.averaged, outputs)
                deviation = max(deviation, deviation_on(network, proof, fresh))
                if deviation < TOLERANCE:
                    return HeadProof(name, kind, scale, deviation, head, trial.averaged, outputs)
            best = min(best, deviation)
    return best


def _search_in_float64(
    network: nn.Module,
    batch: Batch,
    fresh: Batch,
    outputs: str,
    layers: dict[str, nn.Module],
    refused: float,
) -> HeadProof | float:
    """Search again where float32 may have drowned what little the images change; the network is put back."""
    numbers = [*network.parameters(), *network.buffers()]
    if any(t.is_floating_point() and t.dtype != torch.float32 for t in numbers):
        return refused
    try:
        with changed(network, lambda t: t.double() if t.is_floating_point() else t):
            return _search(network, batch.double(), fresh.double(), outputs, layers)
    except RunError:  # a network that makes float32 numbers of its own
        return refused


@torch.no_grad()
def features_and_scores(network: nn.Module, proof: HeadProof | NoHead, batch: Batch) -> tuple[Tensor, Tensor]:
    """Penultimate features [n, d] and scores [n, K] of a batch in one pass.

    With a cosine head the features are h / |h|. Without a head they are the input of `proof.module`, averaged
    over positions: [n, d, h, w] over h and w, [n, tokens, d] over the tokens.
    """
    network = unwrap(network)
    module = network.get_submodule(proof.module)
    with inputs({proof.module: module}) as seen:
        scores = run(network, batch)
    if not seen:
        raise RunError(f"{proof.module or 'The network'} did not run.")
    x = seen[-1][1]
    if isinstance(proof, HeadProof):
        width = proof.head.weight.shape[1]
        for _, x in reversed(seen):
            for kind in ("linear", "1x1 convolution"):
                reading = pooled(x, width, kind)
                if reading is not None and (kind == proof.kind or proof.kind == "cosine"):
                    h = reading[0]
                    return (F.normalize(h, dim=1) if proof.kind == "cosine" else h), scores
        raise RunError(f"What enters {proof.module} has changed its shape.")
    if x.ndim > 2:
        x = x.mean(tuple(range(2, x.ndim))) if channels_first(module) else x.flatten(1, -2).mean(1)
    return x.flatten(1), scores


def features_of(network: nn.Module, proof: HeadProof | NoHead, batch: Tensor) -> Tensor:
    """Features [n, d] alone; see `features_and_scores`."""
    return features_and_scores(network, proof, batch)[0]


def deviation_on(network: nn.Module, proof: HeadProof, batch: Batch) -> float:
    """Relative deviation of a proved head from the network's scores on some images."""
    features, scores = features_and_scores(network, proof, batch)
    logits = as_logits(scores, proof.outputs).double()
    made = torch.from_numpy(proof.head.logits(features.cpu().numpy())).to(logits.device)
    if proof.outputs != "logits":
        made, logits = made - made.mean(1, keepdim=True), logits - logits.mean(1, keepdim=True)
    return _deviation(made, logits)
