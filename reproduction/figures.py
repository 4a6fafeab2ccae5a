"""The figures of the report, from the directories of the runs that results.csv names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from penviz.activations import Activations
from penviz.runs import Run, RunError, activations_path, read_run
from reproduction.manifest import Listed, Manifest, Recipe
from reproduction.results import Row
from reproduction.tables import Results

SOFT = 0.1
SPLITS = ("train", "validation")
PER_CLASS = 100
"""Examples drawn a class, as in Figure 1 of the paper (its appendix A)."""

DPI = 200


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
    for recipe in manifest.recipes.values():
        pair = _pair(manifest, recipe, digests)
        if pair is None:
            continue
        runs = [_find(listed, places, digests[listed.id]) for listed in pair]
        if None in runs:
            lost = ", ".join(listed.id for listed, run in zip(pair, runs, strict=True) if run is None)
            say(f"Figure 1 of {recipe.name} is not drawn: {lost} is not here.")
            continue
        path = _path(target, "figure1", recipe)
        _write(path, figure1(recipe, [run for run in runs if run is not None]))
        yield path


def figure1(recipe: Recipe, runs: Sequence[Run]) -> bytes:
    """Figure 1 for one network as a PNG: a row a triple, train and validation of the hard run, then the soft.

    Each run has axes of its own length, as in the paper; train and validation share them.
    """
    from penviz.measure.panel import build_grid
    from penviz.show.paper import figure_bytes, paper_figure
    from penviz.show.screen import Marks

    stored = [{s: Activations.load(activations_path(run.directory, s)) for s in SPLITS} for run in runs]
    grids = [
        build_grid(
            stored,
            triple,
            per_class=PER_CLASS,
            scale="own",
            label_smoothings=[run.config.label_smoothing for run in runs],
        )
        for triple in recipe.triples
    ]
    panels = [[panel for row in grid for panel in row] for grid in grids]
    figure = paper_figure(panels, layout="figure1", marks=Marks(), corner=("rho_d",), dpi=DPI)
    return figure_bytes(figure, "png", dpi=DPI)


def listed(results: Results, target: Path) -> str:
    """The figures that lie beside the report, with what they show."""
    found = []
    for recipe in results.recipes():
        path = _path(target, "figure1", recipe)
        if path.is_file():
            words = f"Tier {recipe.tier}: Figure 1 from {recipe.model} on {recipe.dataset}"
            if recipe.stands_for:
                words += f", in the paper {results.paper_name(recipe)}"
            found.append(f"![{words}]({path.name})\n\n{words}, seed 0, {PER_CLASS} examples a class.")
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


def _find(listed: Listed, places: Sequence[Path], digest: str) -> Run | None:
    for place in places:
        try:
            run = read_run(place / listed.id)
        except RunError:
            continue
        if run.model_sha256 == digest and set(SPLITS) <= set(run.splits()):
            return run
    return None


def _path(target: Path, figure: str, recipe: Recipe) -> Path:
    return target.with_name(f"{target.stem}-{figure}-{recipe.name}.png")


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
