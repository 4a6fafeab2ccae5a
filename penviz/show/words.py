"""Words of marks that depend on the runs drawn: networks without a head, targets that are not known."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.measure.panel import Panel


def template_word(panels: Sequence[Panel]) -> str:
    """What a diamond is in some panels."""
    return _kind(panels, "template", "class mean as template")


def boundary_word(panels: Sequence[Panel]) -> str:
    """What a dashed line is in some panels."""
    return _kind(panels, "decision boundary", "boundary of the nearest class mean")


def dashed_words(panels: Sequence[Panel]) -> str:
    """Where the dashed lines are, for a caption."""
    head, means = "where two of the three logits are equal", "where two class means are equally near"
    return f"dashed lines: {_kind(panels, head, means)}"


def unit_splits(panels: Sequence[Panel]) -> str:
    """On which split the unit of each run's axes was measured: its first; with names where they differ."""
    first: dict[str, str] = {}
    for panel in panels:
        first.setdefault(panel.run, panel.unit_split)
    if len(set(first.values())) == 1:
        return next(iter(first.values()))
    return " and ".join(f"{split} ({run})" for run, split in first.items())


def _kind(panels: Sequence[Panel], head: str, means: str) -> str:
    kinds = {bool(p.class_means) for p in panels}
    return means if kinds == {True} else f"{head}; without a head: {means}" if True in kinds else head


def optimum_words(panels: Sequence[Panel]) -> str:
    """What a star is in some panels, and why a panel has none.

    Hard targets are passed over where there are stars beside them: their row says that they are hard.
    """
    reasons = []
    if any(p.class_means and p.label_smoothing for p in panels):
        reasons.append("without a head no optimum can be placed")
    if any(p.label_smoothing is None for p in panels):
        reasons.append("where targets are not known, neither is an optimum")
    if any(p.ideal_xy is not None for p in panels):
        return "; ".join(["smoothing optimum", *reasons])
    if any(p.label_smoothing == 0 for p in panels):
        reasons.insert(0, "hard targets have no optimum: it lies at infinity")
    return "; ".join(reasons)
