"""A figure of charts from its recipe: find the runs, build the charts, draw them, pack what goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.figures import charts
from penviz.figures.chart_spec import ChartRecipe, ChartRun
from penviz.figures.figure_runs import find_font, find_place, font_of, path_word
from penviz.figures.plane_figure import FORMATS
from penviz.figures.spec_yaml import RecipeError, versions
from penviz.projection.chart import Chart
from penviz.store import run_activations
from penviz.store.runs import Run, read_runs, sha256_of

Charts = Sequence[Chart]


def describe_run(run: Run, path: str, figure: str, options: Mapping[str, Any]) -> ChartRun:
    """A run as a recipe names it, every file that the figure reads hashed.

    Raises:
        InputError: the run lacks one of them.
    """
    digests = {}
    for name in charts.files(figure, run, options):
        if not (run.directory / name).is_file():
            raise InputError(f"{run.directory} has no {name}, which the figure {figure} is drawn from.")
        digests[name] = sha256_of(run.directory / name)
    return ChartRun(run.name, path_word(Path(path)), run.model_sha256, digests)


def new_recipe(
    figure: str,
    directories: Sequence[Path],
    options: Mapping[str, Any],
    font: Path | None = None,
    **choices: Any,
) -> tuple[ChartRecipe, list[Run], tuple[Chart, ...]]:
    """A recipe from what a command line says, with the runs and the charts of it.

    Args:
        figure: a name in `charts.FIGURES`; directories: of the runs; options: of the figure.
        font: a file; choices: other fields of a ChartRecipe.

    Raises:
        InputError: a run that cannot be used, or a choice that does not fit.
    """
    charts.settings(figure, options)
    if not directories:
        raise InputError("Name the runs to draw, or a recipe with --recipe.")
    runs = read_runs(directories)
    whole = charts.settings(figure, charts.own_splits(figure, runs) | dict(options))
    made = charts.build(figure, runs, whole)
    named = tuple(describe_run(run, str(run.directory), figure, whole) for run in runs)
    if font is not None:
        choices["font"] = font_of(font)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in whole.items()}
    return ChartRecipe(figure, named, plain, versions=versions(), **choices), runs, made


def find_runs(
    recipe: ChartRecipe,
    directory: Path,
    *,
    follow_paths: bool = True,
    known: Mapping[str, Path] | None = None,
) -> list[Run]:
    """The runs of a recipe, found again and compared with it; as `figure_runs.find_runs`."""
    found = []
    for wanted in recipe.runs:
        run = find_place(wanted, directory, follow_paths, known or {})
        for name, digest in wanted.files.items():
            if not (run.directory / name).is_file():
                raise RecipeError(f"{name} of run {wanted.name} is missing from {run.directory}.")
            if sha256_of(run.directory / name) != digest:
                raise RecipeError(f"{name} of run {wanted.name} has changed since the recipe.")
        found.append(replace(run, name=wanted.name))
    return found


def build(recipe: ChartRecipe, runs: Sequence[Run]) -> tuple[Chart, ...]:
    """The charts of a recipe; RecipeError where its figure reads a file that the recipe does not name."""
    for run, named in zip(runs, recipe.runs, strict=True):
        if missing := set(charts.files(recipe.figure, run, recipe.options)) - set(named.files):
            raise RecipeError(f"The recipe has no digest of {sorted(missing)[0]} of run {run.name}.")
    return charts.build(recipe.figure, runs, recipe.options)


def draw(recipe: ChartRecipe, made: Charts, format: str, directory: Path = Path()) -> bytes:
    """A figure as the bytes of a file.

    Args:
        recipe: what to draw; made: its charts (`build`); format: one of `figure.FORMATS`; directory: where
            the path of a font starts.

    Raises:
        InputError: an unknown format, or a figure that cannot be drawn so.
    """
    from penviz.plot.chart_screen import chart_figure
    from penviz.plot.paper.chart import paper_charts
    from penviz.plot.paper.files import figure_bytes, html_page

    if format not in FORMATS:
        raise InputError(f"A figure is not written as {format}: choose {', '.join(FORMATS)}.")
    if format == "html":
        return html_page(chart_figure(made, columns=recipe.columns))
    drawn = paper_charts(
        made,
        venue=recipe.venue,
        width=recipe.width,
        letters=recipe.letters,
        columns=recipe.columns,
        dpi=recipe.dpi,
        font=find_font(recipe.font, directory),
    )
    return figure_bytes(drawn, "tikz" if format == "tex" else format, dpi=recipe.dpi, text=recipe.text)


def pack(
    recipe: ChartRecipe,
    runs: Sequence[Run],
    made: Charts,
    formats: Sequence[str],
    stem: str,
    directory: Path = Path(),
) -> dict[str, bytes]:
    """The bundle of a figure: file name -> bytes; arguments as `draw`, formats of figures called `stem`."""
    from penviz.figures.chart_files import chart_bundle
    from penviz.figures.sweep_table import sweep_table

    figures = {f"{stem}.{format}": draw(recipe, made, format, directory) for format in formats}
    written = replace(recipe, versions=versions()).to_yaml()
    notes = [note for run in runs for note in run_activations.notes(run, {})]
    tables = {"numbers.tex": sweep_table(made).encode()} if recipe.figure == "sweep" else {}
    return chart_bundle(made, figures=figures, recipe=written, notes=notes, runs=runs) | tables
