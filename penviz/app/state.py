"""What the page shows, as the controls and the link say it, and how one control moves another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from penviz.app.catalogue import Group
from penviz.plot.screen import Marks
from penviz.projection.projection import distinct_names
from penviz.projection.views import PLANE
from penviz.store.run_differences import differences
from penviz.store.runs import Run

CLASS_KEYS = ("left", "right", "above")
"""Keys of the three class pickers in the session and in the link, named by where the class stands."""

SCALE_WORDS = {"distance": "distance = 1", "own": "free per run", "same": "shared"}
SCALE_SENTENCES = {
    "distance": "ρ is the radius of the clusters, d the distance between class means. Each row is scaled to "
    "d = 1 on train, so a cluster that looks smaller is tighter.",
    "own": "Each row has axes of its own, in feature units: compare shapes, not sizes.",
    "same": "All rows share one pair of axes, in feature units.",
}
"""How the rows of the grid are scaled, for a first-time visitor."""
OLD_SCALE_WORDS = {"own": "own", "same": "same for all"}
"""What links of version 0.1 call them."""

LAYOUT_WORDS = {"auto": "auto", "strip": "strip", "square": "two columns"}
DEFAULT_PER_CLASS = 250
MOST_DRAWN = 5_000
"""Examples a class that the page draws at most; the density of all lies under them."""

PRESETS = {
    "Figure 1, row 1: airplane, automobile, bird": ("airplane", "automobile", "bird"),
    "Figure 1, row 2: beaver, dolphin, otter": ("beaver", "dolphin", "otter"),
    "CIFAR-100: apple, aquarium_fish, baby": ("apple", "aquarium_fish", "baby"),
    "Figure 1, row 3: tench, meerkat, cleaver": ("tench", "meerkat", "cleaver"),
    "Figure 1, row 4: toy poodle, miniature poodle, tench": ("toy poodle", "miniature poodle", "tench"),
}
"""Triples of the paper (Müller et al. 2019, Figure 1) and one more, offered where the classes exist."""


@dataclass(frozen=True)
class State:
    """Everything that decides what the page shows.

    Attributes:
        group: runs that share a list of classes; runs: those chosen, hard above soft.
        classes: rows of the three classes in the head: left, right, above.
        scale: one of measure's SCALES; bias: whether the template holds the bias; marks: what is drawn;
        per_class: examples drawn a class; layout: one of LAYOUT_WORDS.
        view: one of measure's VIEWS; all_classes: whether another view than the plane is fitted on all.
    """

    group: Group
    runs: tuple[Run, ...]
    classes: tuple[int, int, int]
    scale: str = "distance"
    bias: bool = True
    marks: Marks = field(default_factory=Marks)
    per_class: int = DEFAULT_PER_CLASS
    layout: str = "auto"
    view: str = PLANE
    all_classes: bool = False

    @property
    def class_words(self) -> tuple[str, str, str]:
        """Names of the three classes, equal ones with their rows."""
        left, right, above = self.classes
        names = distinct_names(self.group.class_names)
        return names[left], names[right], names[above]


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Runs from hard to soft, those of unknown targets last, then by name."""

    def key(run: Run) -> tuple[bool, float, str]:
        alpha = run.config.label_smoothing
        return alpha is None, alpha or 0.0, run.name

    return sorted(runs, key=key)


def default_runs(runs: Sequence[Run]) -> list[str]:
    """Names of the runs shown at first: a hard and a soft one that are else equal, or the first two.

    Of several such pairs it is one that was trained for the most epochs.
    """
    ordered = in_order(runs)
    hards = [run for run in ordered if run.config.label_smoothing == 0]
    for hard in sorted(hards, key=lambda run: 0 if run.adopted else -run.config.epochs):
        for soft in (run for run in ordered if run.config.label_smoothing):
            same = set(differences([hard, soft])) <= {"targets", "label_smoothing"}
            if same and hard.adopted == soft.adopted:
                return [hard.name, soft.name]
    return [run.name for run in ordered[:2]]


def presets(class_names: Sequence[str], rows: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    """Presets whose classes are all among some rows of the head, as rows."""
    index = {class_names[i]: i for i in rows}
    return {
        words: (index[a], index[b], index[c])
        for words, (a, b, c) in PRESETS.items()
        if a in index and b in index and c in index
    }


def default_classes(offered: Mapping[str, tuple[int, int, int]], rows: Sequence[int]) -> tuple[int, int, int]:
    """The first preset that is offered, or the first three classes."""
    return next(iter(offered.values()), (rows[0], rows[1], rows[2]))


def distinct(chosen: Sequence[int], rows: Sequence[int]) -> tuple[int, int, int]:
    """Three different classes: a repeated one, from a link, gives way to the first that is free."""
    kept: list[int] = []
    for k in chosen:
        kept.append(k if k not in kept else next(i for i in rows if i not in (*kept, *chosen)))
    return kept[0], kept[1], kept[2]


def swap_classes(changed: int, keys: tuple[str, str, str], preset_key: str, memory_key: str) -> None:
    """After one class was picked: the place that held it gets the class that stood here before.

    Args:
        changed: place of the picker that changed.
        keys: session keys of the three pickers; preset_key: of the presets; memory_key: of the last triple.
    """
    session = st.session_state
    before = session.get(memory_key)
    now = [session[key] for key in keys]
    for other in range(3):
        if other != changed and now[other] == now[changed] and before is not None:
            session[keys[other]] = before[changed]
    session[preset_key] = None


def take_preset(
    triples: dict[str, tuple[int, int, int]], keys: tuple[str, str, str], preset_key: str
) -> None:
    """After a preset was picked: its three classes go to the three pickers."""
    chosen = st.session_state.get(preset_key)
    if chosen is not None:
        for key, k in zip(keys, triples[chosen], strict=True):
            st.session_state[key] = k
