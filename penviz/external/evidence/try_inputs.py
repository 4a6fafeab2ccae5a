"""All plausible inputs of a network, in the order of the evidence: first batch norm, accuracy, NLL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from penviz.external.evidence import accuracy, scored_set_up
from penviz.external.evidence.accuracy import Check
from penviz.external.evidence.input_proof import IMAGES, NormProof, prove_input, solve
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.evidence.set_up_table import SetUpTable
from penviz.external.evidence.ties import MOST_IMAGES
from penviz.external.networks.variants import Variant
from penviz.store.run_config import RunError
from penviz.training.data_set import DataSet

SOLVED_ON = 500
"""Training images that a mean and deviation a channel are solved on."""


@dataclass(frozen=True)
class Tried:
    """What was tried, and what it says.

    Attributes:
        check: the set-ups with their accuracy; proof: of the first batch norm, None without one.
    """

    check: Check
    proof: NormProof | None

    @property
    def sentence(self) -> str:
        """What the first batch norm says, "" without one."""
        return self.proof.sentence if self.proof is not None else ""


def that_run(
    network: nn.Module, ways: Sequence[Preprocessing], images: NDArray[np.uint8]
) -> list[Preprocessing]:
    """Those of some inputs that the network takes: whether it does depends on their size alone.

    Raises:
        RunError: it takes none; with what it said of the first.
    """
    taken: dict[tuple[int, ...], str] = {}
    for way in ways:
        batch = way.apply(images[:2])
        shape = tuple(batch.shape[1:])
        if shape not in taken:
            try:
                scored_set_up.scores_of(network, way, images[:2])
                taken[shape] = ""
            except RunError as error:
                taken[shape] = str(error)
    kept = [way for way in ways if not taken[tuple(way.apply(images[:2]).shape[1:])]]
    if not kept:
        raise RunError(
            f"{next(iter(taken.values()))} State the size that it was trained on with --image-size."
        )
    return kept


def try_inputs(
    network: nn.Module,
    ways: Sequence[Preprocessing],
    bodies: Sequence[Variant],
    dataset: DataSet,
    *,
    seconds: float = 240.0,
    say: Callable[[str], None] = lambda sentence: None,
    report: Callable[[int, int, float], None] = lambda done, n, left: None,
) -> Tried:
    """Prove the preprocessing where there is a first batch norm, then measure accuracy.

    Args:
        network: with its weights; ways, bodies: what is plausible (`recipes`, `variants`).
        dataset: whose training images, or without any those judged on, the batch norm is compared with.
        seconds: that all may take about; say: told what is found; report: as of `SetUpTable`.

    Raises:
        RunError: as `accuracy.check`.
    """
    ways = list(ways)
    proof = _proof(network, ways, dataset, seconds / 4) if len(ways) > 1 else None
    if proof is not None:
        say(proof.sentence)
        ways += [way for way in proof.proved if way not in ways]
    name, images, labels = accuracy.sample_of(dataset)
    if len(ways) > 1:
        say(f"Trying {len(ways)} preprocessings and {len(bodies)} bodies on {len(labels)} {name} images ...")
    split = dataset.splits[name]
    rows = accuracy.sample(split.labels, MOST_IMAGES)
    check = accuracy.check(
        SetUpTable(network, images, labels, seconds, report),
        ways,
        bodies,
        proved=proof.proved if proof is not None else (),
        whole=(split.images[rows], split.labels[rows]),
    )
    return Tried(check, proof)


def _proof(
    network: nn.Module, ways: Sequence[Preprocessing], dataset: DataSet, seconds: float
) -> NormProof | None:
    """Of the known ways; where none fits, also of one whose mean and deviation are solved for."""
    name = "train" if "train" in dataset.splits else dataset.judged_on
    split, word = dataset.splits[name], "training" if name == "train" else name
    images = split.images[accuracy.sample(split.labels, IMAGES)]
    proof = prove_input(network, ways, images, seconds, word)
    if proof is None or proof.proved:
        return proof
    nearest = [fit for fit in proof.fits if fit.way.scaling != "per image"]
    if not nearest:
        return proof
    solved = solve(network, nearest[0].way, nearest[0].padding, images[:: max(1, len(images) // SOLVED_ON)])
    if solved is None:
        return proof
    again = prove_input(network, [solved, *(fit.way for fit in proof.fits[:5])], images, seconds, word)
    return again if again is not None and again.proved else proof
