"""One way from a spec to a figure: its runs opened, its panels or charts built, drawn and bundled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from penviz import InputError
from penviz.figures import charts, snapshot_animation
from penviz.figures.bundle import bundle, chart_bundle
from penviz.figures.draw import draw_charts, draw_planes
from penviz.figures.embeddings import embed_runs
from penviz.figures.open_study import stale
from penviz.figures.spec import Class, FigureSpec
from penviz.figures.spec_files import find_runs
from penviz.figures.spec_yaml import RecipeError, version_note, versions
from penviz.figures.triple import Grid, Triple
from penviz.projection.chart import Chart
from penviz.projection.embedding import embedded
from penviz.projection.panel import Panel
from penviz.projection.snapshot_animation import Film
from penviz.projection.views import PLANE
from penviz.store import run_activations
from penviz.store.activations import Activations
from penviz.store.runs import Run
from penviz.study.comparison import ComparisonOptions
from penviz.study.over_seeds import Side, panel_over_seeds, sides_of
from penviz.study.study import Study
from penviz.study.study_run import StudyRun

Say = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Figure:
    """A figure as data: what `draw` and `bundle` need, and nothing is computed again.

    Attributes:
        spec: every choice; runs: in the order of the spec.
        triples: of template planes, films and other views, each with its panels; empty for charts.
        charts: of a figure of charts; else empty.
    """

    spec: FigureSpec
    runs: Sequence[StudyRun]
    triples: Sequence[Triple] = ()
    charts: Sequence[Chart] = ()

    @property
    def recipe(self) -> str:
        """The spec as a file, with the versions that draw it now."""
        return replace(self.spec, versions=versions()).to_yaml()

    def draw(
        self,
        format: str,
        place: Path = Path(),
        report: Callable[[int, int], None] = lambda done, of: None,
    ) -> bytes:
        """The bytes of a file; arguments and errors as `draw_planes`."""
        if self.spec.figure:
            return draw_charts(self.spec, self.charts, format, place)
        return draw_planes(self.spec, [triple.grid for triple in self.triples], format, place, report)

    def bundle(self, formats: Sequence[str], stem: str, place: Path = Path()) -> dict[str, bytes]:
        """The figure in some formats, called `stem`, with all that goes with it: file name -> bytes."""
        spec, runs = self.spec, [one.run for one in self.runs]
        figures = {f"{stem}.{format}": self.draw(format, place) for format in formats}
        if spec.figure:
            return chart_bundle(
                self.charts,
                figures=figures,
                recipe=self.recipe,
                notes=[note for one in self.runs for note in one.notes],
                runs=runs,
                table=spec.figure == "sweep",
            )
        return bundle(
            self.triples,
            figures=figures,
            recipe=self.recipe,
            marks=spec.marks,
            bold_best=spec.bold_best,
            corner=spec.corner,
            runs=runs,
        )


def open_runs(spec: FigureSpec, runs: Sequence[Run]) -> list[StudyRun]:
    """The runs of a spec with the activations that it names; those of a film are of the last epoch kept.

    The splits that set limits and units are named even where they are not drawn. Charts read what they need
    themselves, run by run.

    Raises:
        ActivationsError: a file that cannot be read.
    """
    wanted: list[list[Class]] = [[] for _ in runs]
    for positions, classes in [] if spec.figure else spec.triples:
        for i in positions:
            wanted[i] += classes
    opened = []
    for run, named, own in zip(runs, spec.runs, wanted, strict=True):
        splits: dict[str, Activations] = {}
        if spec.film:
            kept = snapshot_animation.load(run, list(named.digests))
            splits = {split: one.at(-1) for split, one in kept.items()}
        elif not spec.figure:
            splits = run_activations.load(run, list(named.digests), own)
        opened.append(StudyRun(run, splits, tuple(run_activations.notes(run, splits))))
    return opened


def build(
    spec: FigureSpec,
    runs: Sequence[StudyRun],
    *,
    charts_made: Sequence[Chart] | None = None,
    films: Sequence[Film] | None = None,
    say: Say | None = None,
) -> Figure:
    """A figure of some runs.

    Args:
        spec: what to draw; runs: of it, in its order (`open_runs`); charts_made, films: of these runs, where
            they are at hand; say: takes a sentence about activations of another checkpoint, and before UMAP.

    Raises:
        InputError: runs that cannot be drawn so; no run has one of the splits.
        RecipeError: a chart that reads a file without a digest in the spec.
    """
    if spec.figure:
        made = _charts(spec, runs) if charts_made is None else charts_made
        return Figure(spec, runs, charts=made)
    if say:
        for one in runs:
            for note in stale(one.run, one.splits):
                say(note)
    if spec.film:
        return Figure(spec, runs, [_film(spec, runs, films)])
    columns = [s for s in spec.splits if any(s in one.splits for one in runs)]
    if not columns:
        raise InputError(f"No run has activations of {' or '.join(spec.splits)}: extract them first.")
    triples = [_triple(spec, [runs[i] for i in at], classes, columns, say) for at, classes in spec.triples]
    return Figure(spec, runs, triples)


def open_recipe(path: Path, runs_dir: Path, say: Say | None = None) -> Figure:
    """The figure of a recipe.

    Args:
        path: of the recipe; runs_dir: where the paths of its runs start; say: as for `build`, and takes a
            note on other versions.

    Raises:
        InputError: a recipe that cannot be followed; it says what is missing or has changed.
    """
    spec = FigureSpec.read(path)
    if say and (note := version_note(spec.versions)):
        say(note)
    return build(spec, open_runs(spec, find_runs(spec, runs_dir)), say=say)


def _charts(spec: FigureSpec, runs: Sequence[StudyRun]) -> tuple[Chart, ...]:
    for one, named in zip(runs, spec.runs, strict=True):
        if missing := set(charts.files(spec.figure, one.run, spec.options)) - set(named.digests):
            raise RecipeError(f"The recipe has no digest of {sorted(missing)[0]} of run {one.name}.")
    return charts.build(spec.figure, [one.run for one in runs], spec.options)


def _film(spec: FigureSpec, runs: Sequence[StudyRun], films: Sequence[Film] | None) -> Triple:
    if films is None:
        own = [one.run for one in runs]
        kept = [snapshot_animation.load(one.run, list(one.splits)) for one in runs]
        films = snapshot_animation.films_of(own, kept, spec.classes, bias=spec.bias, scale=spec.scale)
    compared = Study(tuple(runs)).compare(spec.classes, _options(spec))
    return Triple(compared, snapshot_animation.strip(films, spec.film, spec.splits))


def _triple(
    spec: FigureSpec,
    runs: Sequence[StudyRun],
    classes: Sequence[Class],
    columns: Sequence[str],
    say: Say | None,
) -> Triple:
    compared = Study(tuple(runs)).compare(classes, _options(spec))
    if spec.over_seeds:
        sides = sides_of([one.run for one in runs])
        first = Study(tuple(runs[side.positions[0]] for side in sides)).compare(classes, _options(spec))
        drawn = [_over_seeds(row, side, compared.rows) for row, side in zip(first.rows, sides, strict=True)]
        return Triple(compared, _in_columns(drawn, columns), sides)
    rows = [[panel for panel in row if panel is not None] for row in compared.rows]
    if spec.view == PLANE:
        return Triple(compared, _in_columns(rows, columns))
    splits = [one.splits for one in runs]
    found = embed_runs(splits, classes, spec.view, all_classes=spec.all_classes, seed=spec.seed, say=say)
    return Triple(compared, _in_columns(embedded(rows, found, spec.scale), columns), embeddings=found)


def _options(spec: FigureSpec) -> ComparisonOptions:
    """How its triples are drawn and measured; all splits of a run set its limits and unit."""
    return ComparisonOptions(spec.per_class, spec.seed, spec.bias, spec.scale, spec.marks.pull)


def _in_columns(rows: Sequence[Sequence[Panel]], columns: Sequence[str]) -> Grid:
    return [[next((panel for panel in row if panel.split == s), None) for s in columns] for row in rows]


def _over_seeds(row: Sequence[Panel | None], side: Side, every: Grid) -> list[Panel]:
    """The panels of the run that is drawn, with the numbers of its side."""
    made = []
    for panel in (panel for panel in row if panel is not None):
        others = [p for i in side.positions for p in every[i] if p is not None and p.split == panel.split]
        if len(others) < len(side.positions):
            raise InputError(f"{panel.split} is not extracted for every seed of {side.names[0]}.")
        made.append(panel_over_seeds(panel, side, others))
    return made
