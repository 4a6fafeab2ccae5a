"""What is said about a figure outside it: the caption to begin from, and how its numbers came about."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.figures.triple import Triple
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import SEEDS_OUT, series, targets_words, three
from penviz.plot.screen import Marks
from penviz.plot.theme import short_names
from penviz.plot.words import counts_words, dashed_words, template_word, unit_splits
from penviz.projection.panel import INSIDE, OUTSIDE, SPLITS, Panel
from penviz.projection.views import PLANE, VIEWS

PAPER = "Müller, Kornblith & Hinton 2019"
"""Source of the plane."""

CORNER_WORDS = {
    "accuracy": "Accuracy is over all classes.",
    "ece": "ECE is over all classes, in 15 bins of equal width, at temperature 1.",
}
"""What a caption says of numbers in a corner that are not about the three classes."""

SHAPES = ("circles", "squares", "triangles")

SCALES = {
    "distance": "Scale: each run is divided by the mean distance between its three class means on {first}, "
    "so that the radius of clusters on paper is their ρ/d; scale bars are in feature units.",
    "own": "Scale: feature units, each run on axes of its own.",
    "same": "Scale: feature units, all runs on the same axes.",
}

VIEW_SCALES = {
    "distance": "Scale: each run is divided by the mean distance between its three class means in this "
    "view on {first}; scale bars are in {units}.",
    "own": "Scale: {units}, each run on axes of its own.",
    "same": "Scale: {units}, all runs on the same axes.",
}
"""The same for other views than the plane."""


def caption(triples: Sequence[Triple], marks: Marks, corner: Sequence[str] = ()) -> str:
    """A caption to begin from: what is drawn, from what, how, and what the numbers are worth.

    Args:
        triples: of the figure; marks: beside its points; corner: keys of the numbers in its panels.
    """
    panels = [panel for triple in triples for panel in triple.panels]
    sentences = [_what(triples), _runs(triples), _counts(panels), _scale(triples), _marks(panels, marks)]
    if panels[0].view != PLANE:
        sentences += [words for key, words in CORNER_WORDS.items() if key in corner]
        sentences += dict.fromkeys(note for triple in triples for note in triple.notes)
        return " ".join(" ".join(sentences).split())
    sentences += [
        "The radius over distance ρ/d is the root mean square distance of examples to the mean of their "
        "class over the mean distance between class means, in the plane, over all stored examples, errors "
        "included."
    ]
    sentences += [words for key, words in CORNER_WORDS.items() if key in corner]
    for triple in triples:
        head = f"{series(triple.panels[0].classes)}: " if len(triples) > 1 else ""
        sentences += [f"{head}{_shares(triple)}", _radii(triple)]
        sentences += [f"{triple.finding.headline}.", triple.finding.detail]
    sentences += dict.fromkeys(note for triple in triples for note in triple.notes)
    return " ".join(" ".join(sentences).split())


def measured(triples: Sequence[Triple]) -> str:
    """How the numbers of a figure came about, for its methods; citations as `methods.methods` has them."""
    panels = [panel for triple in triples for panel in triple.panels]
    stored = f"up to {max(max(p.n_stored) for p in panels):,} examples a class and split"
    if panels[0].view != PLANE:
        return f"We draw the penultimate-layer features of {stored}: {VIEWS[panels[0].view].label}."
    means = all(p.class_means for p in panels)
    through = "class means" if means else "templates (the rows of the last layer)"
    bias = "" if means else f", the bias {'included' if triples[0].table.bias else 'left out'}"
    if triples[0].sides:
        over = "training seeds (Student's t of the mean, Welch's for differences)"
    else:
        over = "examples (jackknife), not over training seeds"
    return (
        f"We project the penultimate-layer features of {stored} on the plane through the {through} of three "
        f"classes{bias} [muller2019], with the networks in evaluation mode. Tightness is ρ/d, the root mean "
        "square distance to the class mean over the mean distance between the class means, in that plane. "
        f"Intervals are 95 % over {over}."
    )


def _what(triples: Sequence[Triple]) -> str:
    chosen = [triple.panels[0].classes for triple in triples]
    if len(set(chosen)) == 1:
        shown = series([f"{name} ({shape})" for name, shape in zip(chosen[0], SHAPES, strict=True)])
    else:
        shown = "; ".join(series(classes) for classes in chosen) + f" ({series(SHAPES)}, in this order)"
    panels = [panel for triple in triples for panel in triple.panels]
    view = VIEWS[panels[0].view]
    if panels[0].view != PLANE:
        return (
            f"Penultimate-layer features of {shown}: {view.label}, not the projection of {PAPER}. "
            f"{view.sentence} {view.caution} Networks in evaluation mode."
        )
    bias = "the bias included as a last coordinate" if triples[0].table.bias else "the bias left out"
    through = f"the three classes' templates, the rows of the last layer, {bias} ({PAPER})"
    headless = list(dict.fromkeys(p.run for p in panels if p.class_means))
    if all(p.class_means for p in panels):
        through = f"the three class means, in place of templates ({PAPER})"
    elif headless:
        through += f", for {series(headless)} through the class means in their place"
    return (
        f"Penultimate-layer features of {shown}, projected on the plane through {through}; "
        "networks in evaluation mode."
    )


def _runs(triples: Sequence[Triple]) -> str:
    found: dict[str, None] = {}
    for triple in triples:
        for one in triple.runs:
            alpha, seed = one.run.config.label_smoothing, one.run.seed
            targets = targets_words(Targets(one.targets.kind, alpha))
            targets += " as stated" if seed is None and alpha is not None else ""
            training = "training unknown" if seed is None else f"training seed {seed}"
            found[f"{one.name} ({targets}, {training})"] = None
    return f"Runs: {'; '.join(found)}."


def _counts(panels: Sequence[Panel]) -> str:
    by_split = [[panel for panel in panels if panel.split == split] for split in SPLITS]
    said = [counts_words(own) for own in by_split if own]
    outside = sum(p.n_outside for p in panels)
    tail = f"; outside the axes lie {outside:,} of the points drawn" if outside else ""
    return f"Examples: {'; '.join(said)}; drawn with seed {panels[0].seed}{tail}."


def _scale(triples: Sequence[Triple]) -> str:
    panels = [panel for triple in triples for panel in triple.panels]
    if panels[0].view != PLANE:
        return VIEW_SCALES[panels[0].scale].format(
            first=unit_splits(panels), units=VIEWS[panels[0].view].units or "no unit"
        )
    return SCALES[panels[0].scale].format(first=unit_splits(panels))


def _marks(panels: Sequence[Panel], marks: Marks) -> str:
    words = []
    if marks.shading and any(p.shading is not None for p in panels):
        words.append("shading: softmax restricted to the three classes")
    if any(p.density is not None for p in panels):
        words.append("fields in the colours of the classes: density of all stored examples")
    if marks.boundaries and any(len(p.boundaries) for p in panels):
        words.append(dashed_words(panels))
    if marks.means and any(len(p.means_xy) for p in panels):
        words.append("plus: class mean over all stored examples")
    if marks.templates and any(len(p.templates_xy) for p in panels):
        words.append(f"diamond: {template_word(panels)}")
    if marks.optimum and any(p.ideal_xy is not None for p in panels):
        words.append("star: where label smoothing wants the class (hard targets have no optimum)")
    if marks.pull and any(p.pull is not None for p in panels):
        words.append(
            "arrows: in the region of each class, where the loss among the three classes pulls an example of "
            "it (targets less probabilities; length: fourth root of the pull)"
        )
    if marks.errors and any((p.kinds == INSIDE).any() for p in panels):
        words.append("hollow: predicted as another of the three")
    if marks.errors and any((p.kinds == OUTSIDE).any() for p in panels):
        words.append("cross: predicted as a fourth class")
    return f"{'; '.join(words)[:1].upper()}{'; '.join(words)[1:]}." if words else ""


def _shares(triple: Triple) -> str:
    said = [f"{100 * p.metrics['plane_share']:.0f} % ({_panel_name(triple, p)})" for p in triple.panels]
    return f"The plane holds {series(said)} of the variance of the three classes in feature space."


def _panel_name(triple: Triple, panel: Panel) -> str:
    titles = short_names(triple.alphas, triple.names, triple.kinds)
    row = next(i for i, panels in enumerate(triple.grid) if any(p is panel for p in panels))
    return f"{titles[row]}, {panel.place}"


def _radii(triple: Triple) -> str:
    row = triple.table.row("rho_d")
    said = []
    for number, panels in enumerate(triple.grid):
        for panel in panels:
            if panel is None:
                continue
            whole = row.intervals and panel.epoch is None
            bounds = row.intervals[number].get(panel.split) if whole else None
            span = f" [{three(bounds[0])}, {three(bounds[1])}]" if bounds else ""
            said.append(f"{three(panel.metrics['rho_d'])}{span} ({_panel_name(triple, panel)})")
    over = f"in brackets the 95 % CI over the examples of each network; {SEEDS_OUT}"
    if triple.sides:
        titles = short_names(triple.alphas, triple.names, triple.kinds)
        seeds = [
            f"{series([*map(str, one.seeds)])} ({title})"
            for one, title in zip(triple.sides, titles, strict=True)
        ]
        over = f"means over training seeds {series(seeds)} with 95 % t-intervals; drawn is the first of each"
    return f"ρ/d is {series(said)}; {over}."
