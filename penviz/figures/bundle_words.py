"""What is said about a figure outside it: caption, table of numbers, and the line that includes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penviz.metrics.intervals.verdict import relevant
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import SEEDS_OUT, change_text, series, targets_words, three
from penviz.plot.screen import Marks
from penviz.plot.theme import short_names
from penviz.plot.words import column_names, counts_words, dashed_words, template_word, unit_splits
from penviz.projection.panel import INSIDE, OUTSIDE, SPLITS, Panel
from penviz.projection.views import PLANE, VIEWS
from penviz.study.table import NumberRow, value_text

if TYPE_CHECKING:
    from penviz.figures.bundle import Part

PAPER = "Müller, Kornblith & Hinton 2019"
"""Source of the plane."""

TABLE = (
    "rho_d",
    "rho",
    "distance",
    "plane_share",
    "triple_ratio",
    "radius_ratio",
    "gap",
    "accuracy",
    "nll",
    "ece",
)
"""Numbers of the booktabs table; numbers.json has them all."""

CORNER_WORDS = {
    "accuracy": "Accuracy is over all classes.",
    "ece": "ECE is over all classes, in 15 bins of equal width, at temperature 1.",
}
"""What a caption says of numbers in a corner that are not about the three classes."""

BEST = {"accuracy": max, "nll": min, "ece": min}
"""Numbers of which more or less is plainly better; tightness is not one of them."""

BOLD = "% Bold: the best off the training split, unless the 95 % interval of the change holds 0."

OVER_SEEDS = "% Means over training seeds, with half of their 95 % t-interval."

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

SPECIAL: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "−": "$-$", "ρ": r"$\rho$",
    "α": r"$\alpha$", "±": r"$\pm$", "→": r"$\rightarrow$", "²": r"$^2$", "⁺": r"$^+$",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
"""Characters that LaTeX reads as something else, or does not have in its old encodings."""


def latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return text.translate(str.maketrans(SPECIAL))


def include_line(figures: Sequence[str]) -> str:
    """The line that includes a figure at the width it was drawn for; "" where LaTeX can include none."""
    for ending, line in (
        ("pdf", r"\includegraphics{{{}}}"),
        ("png", r"\includegraphics{{{}}}"),
        ("tex", r"\input{{{}}}"),
    ):
        for name in figures:
            if name.endswith(f".{ending}"):
                return line.format(name) + "\n"
    return ""


def booktabs(part: Part, bold_best: bool = False) -> str:
    """The numbers of a triple as a LaTeX table: hard beside soft; it needs booktabs.

    Args:
        part: of the figure. With two runs a column a split shows the change between them.
        bold_best: the best of the numbers that have one (BEST) in bold, off the training split; where the
            interval of the change holds 0, nothing is.
    """
    table = part.table
    titles = column_names(part.label_smoothings, part.names, table.class_means, part.kinds)
    order = [table.reference, 1 - table.reference] if len(titles) == 2 else list(range(len(titles)))
    changed = len(titles) == 2 and any(c is not None for row in table.rows for c in row.changes.values())
    each = len(order) + changed
    heads, rules, names = [""], [], ["Number"]
    for number, split in enumerate(table.splits):
        heads.append(rf"\multicolumn{{{each}}}{{c}}{{{latex(split)}}}")
        rules.append(rf"\cmidrule(lr){{{2 + number * each}-{1 + (number + 1) * each}}}")
        names += [latex(titles[i]) for i in order] + (["change [95 \\%]"] if changed else [])
    lines = [
        f"% {' '.join(', '.join(part.panels[0].classes).split())}; needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{l{'r' * (each * len(table.splits))}}}",
        *([BOLD] if bold_best else []),
        *([OVER_SEEDS] if part.sides else []),
        r"\toprule",
        f"{' & '.join(heads)} \\\\",
        " ".join(rules),
        f"{' & '.join(names)} \\\\",
        r"\midrule",
    ]
    for row in table.rows:
        if row.number.key not in TABLE or _empty(row):
            continue
        unit = f" ({row.number.unit})" if row.number.unit not in ("", "share") else ""
        cells = [latex(f"{row.number.label}{unit}")]
        for split in table.splits:
            best = _best(row, split) if bold_best else set()
            cells += [_cell(value_text(row, i, split) + _half(part, row, i, split), i in best) for i in order]
            cells += [latex(_minus(change_text(row.changes.get(split))))] if changed else []
        lines.append(f"{' & '.join(cells)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _best(row: NumberRow, split: str) -> set[int]:
    """Runs with the best value, as it is printed; none where it says nothing."""
    values = {i: v for i, own in enumerate(row.values) if (v := own.get(split)) is not None}
    if row.number.key not in BEST or split == "train" or len(values) < max(2, len(row.values)):
        return set()
    change = row.changes.get(split)
    if change is not None and change.low is not None and not change.clear:
        return set()
    if change is not None and not relevant(change, row.number.least):
        return set()
    printed = {i: float(three(v)) for i, v in values.items()}
    best = BEST[row.number.key](printed.values())
    found = {i for i, v in printed.items() if v == best}
    return found if len(found) < len(values) else set()


def _half(part: Part, row: NumberRow, run: int, split: str) -> str:
    """Half of the interval over seeds behind a mean; "" where there is none."""
    ends = row.intervals[run].get(split) if part.sides else None
    return "" if ends is None else f" ± {three((ends[1] - ends[0]) / 2)}"


def _cell(text: str, bold: bool) -> str:
    return rf"\textbf{{{latex(text)}}}" if bold else latex(text)


def _minus(text: str) -> str:
    """With minus signs, not hyphens."""
    return text.replace("-", "−")


def _empty(row: NumberRow) -> bool:
    return all(value is None for values in row.values for value in values.values())


def caption(parts: Sequence[Part], marks: Marks, corner: Sequence[str] = ()) -> str:
    """A caption to begin from: what is drawn, from what, how, and what the numbers are worth.

    Args:
        parts: of the figure; marks: beside its points; corner: keys of the numbers in its panels.
    """
    panels = [panel for part in parts for panel in part.panels]
    sentences = [_what(parts), _runs(parts), _counts(panels), _scale(parts), _marks(panels, marks)]
    if panels[0].view != PLANE:
        sentences += [words for key, words in CORNER_WORDS.items() if key in corner]
        sentences += dict.fromkeys(note for part in parts for note in part.notes)
        return " ".join(" ".join(sentences).split())
    sentences += [
        "The radius over distance ρ/d is the root mean square distance of examples to the mean of their "
        "class over the mean distance between class means, in the plane, over all stored examples, errors "
        "included."
    ]
    sentences += [words for key, words in CORNER_WORDS.items() if key in corner]
    for part in parts:
        head = f"{series(part.panels[0].classes)}: " if len(parts) > 1 else ""
        sentences += [f"{head}{_shares(part)}", _radii(part)]
        sentences += [f"{part.finding.headline}.", part.finding.detail]
    sentences += dict.fromkeys(note for part in parts for note in part.notes)
    return " ".join(" ".join(sentences).split())


def measured(parts: Sequence[Part]) -> str:
    """How the numbers of a figure came about, for its methods; citations as `methods.methods` has them."""
    panels = [panel for part in parts for panel in part.panels]
    stored = f"up to {max(max(p.n_stored) for p in panels):,} examples a class and split"
    if panels[0].view != PLANE:
        return f"We draw the penultimate-layer features of {stored}: {VIEWS[panels[0].view].label}."
    means = all(p.class_means for p in panels)
    through = "class means" if means else "templates (the rows of the last layer)"
    bias = "" if means else f", the bias {'included' if parts[0].table.bias else 'left out'}"
    if parts[0].sides:
        over = "training seeds (Student's t of the mean, Welch's for differences)"
    else:
        over = "examples (jackknife), not over training seeds"
    return (
        f"We project the penultimate-layer features of {stored} on the plane through the {through} of three "
        f"classes{bias} [muller2019], with the networks in evaluation mode. Tightness is ρ/d, the root mean "
        "square distance to the class mean over the mean distance between the class means, in that plane. "
        f"Intervals are 95 % over {over}."
    )


def _what(parts: Sequence[Part]) -> str:
    triples = [part.panels[0].classes for part in parts]
    if len(set(triples)) == 1:
        shown = series([f"{name} ({shape})" for name, shape in zip(triples[0], SHAPES, strict=True)])
    else:
        shown = "; ".join(series(classes) for classes in triples) + f" ({series(SHAPES)}, in this order)"
    panels = [panel for part in parts for panel in part.panels]
    view = VIEWS[panels[0].view]
    if panels[0].view != PLANE:
        return (
            f"Penultimate-layer features of {shown}: {view.label}, not the projection of {PAPER}. "
            f"{view.sentence} {view.caution} Networks in evaluation mode."
        )
    bias = "the bias included as a last coordinate" if parts[0].table.bias else "the bias left out"
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


def _runs(parts: Sequence[Part]) -> str:
    found: dict[str, None] = {}
    for part in parts:
        given = zip(part.names, part.kinds, part.label_smoothings, part.seeds, strict=True)
        for name, kind, alpha, seed in given:
            targets = targets_words(Targets(kind, alpha))
            targets += " as stated" if seed is None and alpha is not None else ""
            training = "training unknown" if seed is None else f"training seed {seed}"
            found[f"{name} ({targets}, {training})"] = None
    return f"Runs: {'; '.join(found)}."


def _counts(panels: Sequence[Panel]) -> str:
    by_split = [[panel for panel in panels if panel.split == split] for split in SPLITS]
    said = [counts_words(own) for own in by_split if own]
    outside = sum(p.n_outside for p in panels)
    tail = f"; outside the axes lie {outside:,} of the points drawn" if outside else ""
    return f"Examples: {'; '.join(said)}; drawn with seed {panels[0].seed}{tail}."


def _scale(parts: Sequence[Part]) -> str:
    panels = [panel for part in parts for panel in part.panels]
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


def _shares(part: Part) -> str:
    said = [f"{100 * p.metrics['plane_share']:.0f} % ({_panel_name(part, p)})" for p in part.panels]
    return f"The plane holds {series(said)} of the variance of the three classes in feature space."


def _panel_name(part: Part, panel: Panel) -> str:
    titles = short_names(part.label_smoothings, part.names, part.kinds)
    row = next(i for i, panels in enumerate(part.grid) if any(p is panel for p in panels))
    return f"{titles[row]}, {panel.place}"


def _radii(part: Part) -> str:
    row = part.table.row("rho_d")
    said = []
    for number, panels in enumerate(part.grid):
        for panel in panels:
            if panel is None:
                continue
            whole = row.intervals and panel.epoch is None
            bounds = row.intervals[number].get(panel.split) if whole else None
            span = f" [{three(bounds[0])}, {three(bounds[1])}]" if bounds else ""
            said.append(f"{three(panel.metrics['rho_d'])}{span} ({_panel_name(part, panel)})")
    over = f"in brackets the 95 % CI over the examples of each network; {SEEDS_OUT}"
    if part.sides:
        titles = short_names(part.label_smoothings, part.names, part.kinds)
        seeds = [
            f"{series([*map(str, one.seeds)])} ({title})"
            for one, title in zip(part.sides, titles, strict=True)
        ]
        over = f"means over training seeds {series(seeds)} with 95 % t-intervals; drawn is the first of each"
    return f"ρ/d is {series(said)}; {over}."
