"""What a network returns: class scores found in its output, and whether they are logits or probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from penviz.external.evidence.batches import Inputs
from penviz.store.run_config import RunError


def unwrap(network: nn.Module) -> nn.Module:
    """The module inside DistributedDataParallel, DataParallel and torch.compile, however they are nested."""
    while True:
        inner = getattr(network, "_orig_mod", None)
        if inner is None and type(network).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = getattr(network, "module", None)
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def output_of(result: object) -> Tensor:
    """Scores [n, K] in what a network returned: a tensor, a dict or ModelOutput, a tuple.

    Raises:
        RunError: there is no tensor with two axes in it.
    """
    named = result.get("logits") if isinstance(result, dict) else getattr(result, "logits", None)
    if isinstance(named, Tensor):
        result = named
    if isinstance(result, dict):
        result = next((v for v in result.values() if isinstance(v, Tensor) and v.ndim == 2), None)
    if isinstance(result, tuple | list):
        result = next((v for v in result if isinstance(v, Tensor) and v.ndim == 2), None)
    if isinstance(result, Tensor) and result.ndim == 4 and result.shape[2:] == (1, 1):
        result = result.flatten(1)
    if not isinstance(result, Tensor) or result.ndim != 2 or not result.is_floating_point():
        raise RunError("The network does not return one row of class scores an image.")
    return result


def kind_of_scores(scores: Tensor) -> str:
    """ "probabilities" where rows are non-negative and sum to 1, "log-probabilities" where exp does, else
    "logits".
    """
    s = scores.double()
    if bool((s >= 0).all()) and torch.allclose(s.sum(1), torch.ones_like(s[:, 0]), atol=1e-4):
        return "probabilities"
    return "log-probabilities" if bool((s.logsumexp(1).abs() < 1e-4).all()) else "logits"


def as_logits(scores: Tensor, kind: str) -> Tensor:
    """Scores up to a shift a row: the logarithm of probabilities, and the others as they are."""
    return scores.clamp_min(torch.finfo(scores.dtype).tiny).log() if kind == "probabilities" else scores


@torch.no_grad()
def runs_on(network: nn.Module, channels: int, side: int) -> bool:
    """Whether a network takes images of that side: many have a fixed one, or halve too often."""
    was_training = network.training
    try:
        run(network.eval(), torch.zeros(2, channels, side, side))
    except RunError:
        return False
    finally:
        network.train(was_training)
    return True


def run(network: nn.Module, batch: Tensor | Inputs) -> Tensor:
    """Scores [n, K] of a batch.

    Raises:
        RunError: the network cannot take such images; one sentence with what it said.
    """
    try:
        if isinstance(batch, Tensor):
            scores = output_of(network(batch))
            if len(scores) != len(batch):  # x.view(-1, n) takes images of another size for more images
                raise RunError(f"The network returns {len(scores)} rows of scores for {len(batch)} images.")
            return scores
        return output_of(network(*batch.args, **batch.kwargs))
    except RunError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        shape = " x ".join(str(side) for side in batch.shape[1:])
        raise RunError(f"The network does not run on images of {shape}: {said.rstrip('.')}.") from None
