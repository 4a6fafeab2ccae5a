"""The figures of the report, from the directories of the runs that results.csv names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penviz.figures.charts import calibration as reliability_chart
from penviz.figures.charts import distillation as distillation_chart
from penviz.figures.charts import erasure as erasure_chart
from penviz.metrics.calibration.reliability import Reliability
from penviz.metrics.target_vectors import Targets
from penviz.plot.paper.options import PaperOptions
from penviz.projection.chart import Chart, Line, Series
from penviz.projection.panel_options import PanelOptions
from penviz.store.activations import Activations
from penviz.store.atomic_write import whole_file
from penviz.store.run_config import RunError
from penviz.store.runs import Run, activations_path, read_run
from reproduction import training_time_report
from reproduction.distillation import gathered, taught
from reproduction.manifest import TIERS, Listed, Manifest, Recipe
from reproduction.results import Row
from reproduction.tables import Results, read_published
from reproduction.training_time import read_times

SOFT = 0.1
REFERENCED = (0.0, 0.05, 0.1)
"""Smoothings that Figure 2 sets side by side."""

SPLITS = ("train", "validation")
PER_CLASS = 100
"""Examples drawn a class, as in Figure 1 of the paper (its appendix A)."""

DPI = 200
FIGURES = {
    "figure1": "Figure 1",
    "arc": "Figure 1, row 4, with other classes,",
    "training-time": "ρ/d against training time",
}
FIGURES |= {"figure2": "Figure 2", "figure5": "Figure 5", "figure6": "Figure 6"}
"""In the order of the report: word in a file's name -> name in the paper, or what it shows."""


def draw_figures(
    manifest: Manifest,
    rows: Sequence[Row],
    places: Sequence[Path],
    target: Path,
    say: Callable[[str], None],
) -> Iterator[Path]:
    """Draw what the runs of `rows` that lie in `places` allow, beside the report; yields the files written.

    A run that is not there, or whose model is another than results.csv names, is left out with a sentence.
    """
    digests = {row["id"]: row["model_sha256"] for row in rows}
    times = read_times()
    for recipe in manifest.recipes.values():
        own = [run for run in manifest.runs if run.recipe == recipe and run.id in digests and not run.teacher]
        shown = [run for run in own if run.seed == own[0].seed and run.label_smoothing in REFERENCED]
        shown.sort(key=lambda run: run.label_smoothing or 0.0)
        found = [run for listed in shown if (run := find_run(listed, places, digests[listed.id])) is not None]
        if {run.config.label_smoothing for run in found} > {0.0}:
            path = _path(target, "figure2", recipe)
            _write(path, charted(figure2(found)))
            yield path
        if recipe.erasure is not None:
            every = [find_run(listed, places, digests[listed.id]) for listed in own]
            followed = [run for run in every if run is not None and erasure_chart.followed(run)]
            if followed:
                path = _path(target, "figure6", recipe)
                _write(path, charted(erasure_chart.build(followed, details=False)))
                yield path
        over_time = training_time_report.charts([row for row in times if row["id"] in digests], recipe)
        if over_time:
            path = _path(target, "training-time", recipe)
            _write(path, charted(over_time))
            yield path
        pair = _pair(manifest, recipe, digests)
        if pair is None:
            continue
        runs = [find_run(listed, places, digests[listed.id]) for listed in pair]
        if None in runs:
            lost = ", ".join(listed.id for listed, run in zip(pair, runs, strict=True) if run is None)
            say(f"Figure 1 of {recipe.name} is not drawn: {lost} is not here.")
            continue
        path = _path(target, "figure1", recipe)
        found = [run for run in runs if run is not None]
        _write(path, figure1(recipe.triples, found))
        yield path
        if recipe.arc is not None:
            path = _path(target, "arc", recipe)
            _write(path, figure1([recipe.arc], found))
            yield path
    results = Results(manifest, rows, TIERS, read_published())
    for students, teachers in taught(results):
        path = _path(target, "figure5", students)
        _write(path, charted((distillation_chart.chart_of(gathered(results, students, teachers)),)))
        yield path


def figure1(triples: Sequence[Sequence[str | int]], runs: Sequence[Run]) -> bytes:
    """Figure 1 for one network as a PNG: a row a triple, train and validation of the hard run, then the soft.

    Each run has axes of its own length, as in the paper; train and validation share them.
    """
    from penviz.plot.paper.files import figure_bytes
    from penviz.plot.paper.plane import paper_figure
    from penviz.plot.screen import Marks
    from penviz.projection.build_panel import build_grid

    stored = [{s: Activations.load(activations_path(run.directory, s)) for s in SPLITS} for run in runs]
    grids = [
        build_grid(
            stored,
            triple,
            PanelOptions(PER_CLASS, scale="own"),
            targets=[Targets.of(run.config.label_smoothing) for run in runs],
        )
        for triple in triples
    ]
    panels = [[panel for row in grid for panel in row] for grid in grids]
    figure = paper_figure(panels, PaperOptions(dpi=DPI), layout="figure1", marks=Marks(), corner=("rho_d",))
    return figure_bytes(figure, "png", dpi=DPI)


def figure2(runs: Sequence[Run]) -> tuple[Chart, ...]:
    """Figure 2 for one network: reliability as `reliabilities` says, and the share of examples a bin."""
    curves, shares, colour = [], [], -1
    for name, bins in reliabilities(runs).items():
        scaled = ", T = " in name
        colour += not scaled
        words = f"{name}: ECE {bins.ece:.3f}"
        held = bins.counts > 0
        low, high = (None, None) if scaled else (ends[held] for ends in bins.bounds())
        drawn = reliability_chart.curve(words, bins, colour)
        curves.append(replace(drawn, weights=None, dashed=scaled, low=low, high=high))
        look: dict[str, Any] = {"kind": "line+markers", "colour": colour, "dashed": scaled}
        middles = (bins.edges[:-1] + bins.edges[1:]) / 2
        shares.append(Series(words, middles, bins.counts / bins.counts.sum(), **look))
    whole, diagonal = (0.0, 1.0), Line(reliability_chart.PERFECT, (0, 0), (1, 1))
    return (
        Chart("reliability", "confidence", "accuracy", tuple(curves), (diagonal,), whole, whole, square=True),
        Chart("examples in each bin", "confidence", "share of examples", tuple(shares), x_limits=whole),
    )


def charted(charts: Sequence[Chart]) -> bytes:
    """Charts as a PNG: 2 of activations, 5 of accuracies in results.csv, 6 of the histories of runs."""
    from penviz.plot.paper.chart import paper_charts
    from penviz.plot.paper.files import figure_bytes

    return figure_bytes(paper_charts(charts, PaperOptions(dpi=DPI)), "png", dpi=DPI)


def reliabilities(runs: Sequence[Run]) -> dict[str, Reliability]:
    """Name of a curve -> 15 bins of the validation examples that no temperature was fitted on.

    A curve a run, and for hard targets another one at the temperature fitted on the other half.
    """
    from penviz.metrics.calibration.reliability import reliability
    from penviz.metrics.calibration.temperature import fit_temperature, halve, softmax
    from penviz.plot.theme import targets_name
    from penviz.projection.split_statistics import SplitStatistics

    curves = {}
    for run in runs:
        summary = SplitStatistics.of(Activations.load(activations_path(run.directory, "validation")))
        half, other = halve(summary.rows)
        z, labels = summary.activations.logits(), summary.activations.labels
        right = summary.activations.predictions[other] == labels[other]
        alpha = run.config.label_smoothing
        curves[targets_name(alpha)] = reliability(softmax(z[other]).max(axis=1), right)
        found = fit_temperature(z[half], labels[half])
        if alpha == 0 and found.finite:
            at = softmax(z[other], found.value).max(axis=1)
            curves[f"{targets_name(alpha)}, T = {found.value:.2f}"] = reliability(at, right)
    return curves


def listed(results: Results, target: Path) -> str:
    """The figures that lie beside the report, with what they show."""
    found = []
    for figure, name in FIGURES.items():
        for recipe in results.recipes(students=True):
            path = _path(target, figure, recipe)
            if not path.is_file():
                continue
            words = f"Tier {recipe.tier}: {name} from {recipe.model} on {recipe.dataset}"
            if recipe.stands_for and figure != "arc":  # of another network in the paper
                words += f", in the paper {results.paper_name(recipe)}"
            rest = {
                "figure1": f"{PER_CLASS} examples a class",
                "arc": f"{PER_CLASS} examples of two similar classes and of a distant one",
                "training-time": "all triples of classes, examples kept in snapshots; "
                "lines are means over seeds, bands go from the least to the greatest",
                "figure2": "validation examples that no temperature was fitted on; "
                "whiskers are 95 % over those of a bin",
                "figure5": "lines are means over seeds",
                "figure6": f"{' and '.join(recipe.erasure or ())}, from the history of each run",
            }[figure]
            found.append(f"![{words}]({path.name})\n\n{words}; {rest}.")
    return "\n\n".join(found) or "No figure has been drawn."


def _pair(manifest: Manifest, recipe: Recipe, digests: dict[str, str]) -> list[Listed] | None:
    """The first hard run of a recipe that is measured with a soft one of its seed."""
    for soft in manifest.runs:
        hard = manifest.reference(soft)
        if hard is None or soft.recipe != recipe or soft.label_smoothing != SOFT:
            continue
        if hard.id in digests and soft.id in digests:
            return [hard, soft]
    return None


def find_run(listed: Listed, places: Sequence[Path], digest: str) -> Run | None:
    """The extracted run of an entry with the model of that digest, in the first place that has it.

    A shipped copy with fewer examples is passed over: what is measured of it would be other numbers.
    """
    for place in places:
        try:
            run = read_run(place / listed.id)
        except RunError:
            continue
        fewer = run.record.get("thinned", {}).get("per_class", "all") != "all"
        if run.model_sha256 == digest and set(SPLITS) <= set(run.splits()) and not fewer:
            return run
    return None


def _path(target: Path, figure: str, recipe: Recipe) -> Path:
    return target.with_name(f"{target.stem}-{figure}-{recipe.name}.png")


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as part:
        part.write_bytes(content)
