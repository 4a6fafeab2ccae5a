"""Sentences about the whole picture: what is drawn, and what a reader who cannot see it should know."""

from __future__ import annotations

import re
from collections.abc import Sequence

from penviz.app.state import State
from penviz.plot.theme import targets_name
from penviz.plot.words import counts_words, unit_splits
from penviz.projection.panel import Panel
from penviz.projection.views import PLANE, VIEWS

_SCALES = {
    "distance": "each row is divided by the mean distance between its class means on {}",
    "own": "feature units, each run on axes of its own",
    "same": "feature units, all runs on the same axes",
}


_MARKDOWN = re.compile(r"[\\`*~$\[\]]|(?<!\w)_|_(?!\w)|:(?=\w)|(?<=\w):(?!\s|$)")


def plain(words: str) -> str:
    """Names for a widget that reads Markdown, so that they stand there as they are written."""
    return _MARKDOWN.sub(r"\\\g<0>", words)


def plain_sentence(sentence: str) -> str:
    """The same of a sentence in which commands stand between backticks."""
    parts = re.split(r"(`[^`]+`)", sentence)
    return "".join(part if n % 2 else plain(part) for n, part in enumerate(parts))


def minus_signs(sentence: str) -> str:
    """A sentence whose negative numbers have a minus in place of a hyphen."""
    return re.sub(r"(?<=[\[ ])-(?=\d)", "−", sentence)


def provenance(state: State, panels: Sequence[Panel]) -> str:
    """One sentence that says what is drawn: runs, classes, splits, how many of how many, seed, limits.

    Args:
        state: of the page; panels: in reading order.
    """
    view = VIEWS[state.view]
    runs = ", ".join(dict.fromkeys(f"{panel.run}" for panel in panels))
    names = dict.fromkeys(panel.split for panel in panels)
    splits = [counts_words([panel for panel in panels if panel.split == split]) for split in names]
    bias = "with the bias" if state.bias else "without the bias"
    plane = f"Plane of the three templates {bias}"
    if all(panel.class_means for panel in panels):
        plane = "Plane of the three class means"
    elif any(panel.class_means for panel in panels):
        plane += ", of the class means where there is no head"
    limits = "the class means and the optima"
    if state.view != PLANE:
        fitted = f"{'all' if state.all_classes else 'the three'} classes on {unit_splits(panels)}"
        plane, limits = f"{view.label}, fitted on {fitted}", "and the class means"
    scale = _SCALES[panels[0].scale].format(unit_splits(panels))
    scale = scale.replace("feature units", view.units or "no unit")
    both = "both splits" if len(names) == 2 else "the split"
    return (
        f"Runs {runs}; classes {', '.join(state.class_words)}; {'; '.join(splits)}; "
        f"drawn with seed {panels[0].seed}; numbers are over all stored examples, misclassified ones too. "
        f"{plane}; {scale}; axes cover 99.5 % of the stored points of {both}, {limits}."
    )


def panels_in_words(panels: Sequence[Panel | None]) -> str:
    """Panels for screen readers: whose each is, and its tightness."""
    drawn = [panel for panel in panels if panel is not None]
    classes = ", ".join(drawn[0].classes) if drawn else "no class"
    parts = [
        f"{targets_name(panel.label_smoothing, panel.targets)}, {panel.split}"
        + (f": rho over d {panel.metrics['rho_d']:.3f}" if "rho_d" in panel.metrics else "")
        for panel in drawn
    ]
    return f"Scatter plots of {classes}. {'; '.join(parts)}."


def alt_text(state: State, panels: Sequence[Panel | None]) -> str:
    """The grid in words, for screen readers."""
    what = "class means" if any(panel and panel.class_means for panel in panels) else "templates"
    how = f"on the plane of their {what}" if state.view == PLANE else f"by {VIEWS[state.view].remark}"
    return f"{panels_in_words(panels)} Drawn {how}."
