"""Words that depend on the runs drawn: how many examples, networks without a head, targets not known."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.metrics.wording import series
from penviz.plot.theme import short_names
from penviz.projection.panel import Panel


def counts_words(panels: Sequence[Panel]) -> str:
    """How many examples of how many some panels of one split show: "train 250 drawn of 1,000 stored of ...".

    Panels that differ say whose their numbers are: their runs', or their classes' where those differ.
    """
    own: dict[tuple[tuple[int, ...], ...], list[Panel]] = {}
    for p in panels:
        own.setdefault((tuple(p.n_shown), tuple(p.n_stored), tuple(p.n_total)), []).append(p)
    said = []
    for (shown, stored, total), parts in own.items():
        who = dict.fromkeys(p.run for p in parts)
        if len({p.classes for p in panels}) > 1:
            who = dict.fromkeys(series(p.classes) for p in parts)
        which = f"({series(list(who))}) " if len(own) > 1 else ""
        said.append(f"{which}{_counts(shown)} drawn of {_counts(stored)} stored of {_counts(total)} a class")
    return f"{panels[0].split} {', '.join(said)}"


def _counts(numbers: Sequence[int]) -> str:
    """One number when the three classes have as many, else all three."""
    return f"{numbers[0]:,}" if len(set(numbers)) == 1 else " + ".join(f"{n:,}" for n in numbers)


def template_word(panels: Sequence[Panel]) -> str:
    """What a diamond is in some panels."""
    return _kind(panels, "template", "class mean", "class mean as template")


def boundary_word(panels: Sequence[Panel]) -> str:
    """What a dashed line is in some panels."""
    return _kind(panels, "decision boundary", "nearest mean", "boundary of the nearest class mean")


def dashed_words(panels: Sequence[Panel]) -> str:
    """Where the dashed lines are, for a caption."""
    means = "where two class means are equally near"
    return f"dashed lines: {_kind(panels, 'where two of the three logits are equal', means, means)}"


def _kind(panels: Sequence[Panel], head: str, means: str, alone: str) -> str:
    """Words for networks with a head; for some without one beside them; and for those alone."""
    kinds = {bool(p.class_means) for p in panels}
    return head if True not in kinds else alone if kinds == {True} else f"{head} (no head: {means})"


def pull_word(panels: Sequence[Panel]) -> str:
    """What an arrow is in some panels, and why a panel has none."""
    some = any(p.pull is not None for p in panels)
    none = "" if all(p.pull is not None for p in panels) else " (none where head or targets are not known)"
    return f"loss gradient{none}" if some else "no loss gradient: head or targets are not known"


def optimum_words(panels: Sequence[Panel]) -> str:
    """What a star is in some panels, and why a panel has none.

    Hard targets are passed over where there are stars beside them: their row says that they are hard.
    """
    unknown = [p for p in panels if p.label_smoothing is None]
    without = [
        *(["for unknown targets"] if any(p.targets != "distilled" for p in unknown) else []),
        *(["for distilled targets"] if any(p.targets == "distilled" for p in unknown) else []),
        *(["without a head"] if any(p.class_means and p.label_smoothing for p in panels) else []),
    ]
    none = " or ".join(without)
    if any(p.ideal_xy is not None for p in panels):
        return f"label-smoothing optimum (none {none})" if none else "label-smoothing optimum"
    hard = "hard targets have no optimum: it lies at infinity"
    said = [hard] if any(p.label_smoothing == 0 for p in panels) else []
    return "; ".join([*said, *([f"no optimum {none}"] if none else [])])


def column_names(
    label_smoothings: Sequence[float | None],
    runs: Sequence[str],
    class_means: Sequence[bool],
    kinds: Sequence[str] = (),
) -> list[str]:
    """Heads of columns, as `short_names`; runs whose class means stand in for templates say so."""
    names = short_names(label_smoothings, runs, kinds)
    return [f"{n} (class means)" if m else n for n, m in zip(names, class_means, strict=True)]


def unit_splits(panels: Sequence[Panel]) -> str:
    """On which split the unit of each run's axes was measured: its first; with names where they differ."""
    first: dict[str, str] = {}
    for panel in panels:
        first.setdefault(panel.run, panel.unit_split)
    if len(set(first.values())) == 1:
        return next(iter(first.values()))
    return " and ".join(f"{split} ({run})" for run, split in first.items())
