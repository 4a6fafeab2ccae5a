"""A figure from its recipe: build the panels, draw them, and pack what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.figures import snapshot_animation
from penviz.figures.bundle import Part, bundle
from penviz.figures.embeddings import embed_runs
from penviz.figures.figure_runs import describe_run, find_font, font_of, sides_of
from penviz.figures.plane_spec import Class, Recipe, RecipeRow, versions
from penviz.figures.spec_yaml import is_text
from penviz.plot.paper.style import FigureStyle
from penviz.projection.embedding import LINEAR, Embedding, LinearMap, embedded
from penviz.projection.panel import Panel, build_grid
from penviz.projection.plane import Plane
from penviz.projection.projection import class_indices
from penviz.projection.split_statistics import SplitStatistics
from penviz.projection.views import PLANE
from penviz.store import run_activations
from penviz.store.activations import Activations
from penviz.store.runs import SPLITS, Run, differences, read_runs, recipe_of, shown_splits
from penviz.store.safe_text import safe_names
from penviz.store.snapshots import splits_of
from penviz.study.finding import build_finding
from penviz.study.over_seeds import Side, panel_over_seeds, table_over_seeds
from penviz.study.table import compare

FORMATS = ("pdf", "svg", "png", "html", "tex")
"""Endings of the files that any figure can be written to; tex is TikZ."""

FILM_FORMATS = (*FORMATS, "gif")
"""Those of a film; gif is its animation."""


Grid = list[list[Panel | None]]
"""Rows of panels of one triple: a row a run, a column a split."""


def load_splits(recipe: Recipe, runs: Sequence[Run]) -> list[dict[str, Activations]]:
    """Activations of the runs of a recipe, by split: those it names, so that limits and units are the same.

    Of a film they are those of the last epoch kept.

    Raises:
        ActivationsError: a file that cannot be read.
    """
    if recipe.film:
        snapshots = [
            snapshot_animation.load(run, list(r.activations))
            for run, r in zip(runs, recipe.runs, strict=True)
        ]
        return [{split: own.at(-1) for split, own in one.items()} for one in snapshots]
    wanted: list[list[Class]] = [[] for _ in runs]
    for positions, classes in triples(recipe):
        for i in positions:
            wanted[i] += classes
    return [
        run_activations.load(run, list(named.activations), classes)
        for run, named, classes in zip(runs, recipe.runs, wanted, strict=True)
    ]


def class_words(wanted: Sequence[Class], class_names: Sequence[str]) -> tuple[Class, Class, Class]:
    """Three classes as a recipe names them: by name, or by row where several have the name or it is empty.

    Raises:
        ActivationsError: as `class_indices`.
    """
    names = list(class_names)
    left, right, above = (
        names[k] if names.count(names[k]) == 1 and is_text(names[k]) else k
        for k in class_indices(list(wanted), names)
    )
    return left, right, above


def triples(recipe: Recipe) -> list[tuple[list[int], tuple[Class, ...]]]:
    """For each triple of a recipe, positions of its runs and its classes."""
    names = [run.name for run in recipe.runs]
    if not recipe.rows:
        return [(list(range(len(names))), recipe.classes)]
    return [([names.index(name) for name in row.runs], row.classes) for row in recipe.rows]


def build_panels(
    recipe: Recipe,
    runs: Sequence[Run],
    loaded: Sequence[Mapping[str, Activations]],
    summaries: Sequence[Mapping[str, SplitStatistics]] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Grid]:
    """Panels of every triple of a recipe; None where a run lacks a split.

    Args:
        recipe: what to draw; runs: of it, in its order (`find_runs`); loaded: their activations
            (`load_splits`); summaries: of the same, to save time; say: takes a sentence before UMAP runs.

    Raises:
        InputError: as `build_grid`, or no run has one of the splits.
    """
    if recipe.film:
        snapshots = [
            snapshot_animation.load(run, list(r.activations))
            for run, r in zip(runs, recipe.runs, strict=True)
        ]
        films = snapshot_animation.films_of(
            runs, snapshots, recipe.classes, bias=recipe.bias, scale=recipe.scale
        )
        return [snapshot_animation.strip(films, recipe.film, recipe.splits)]
    columns = [s for s in recipe.splits if any(s in parts for parts in loaded)]
    if not columns:
        raise InputError(f"No run has activations of {' or '.join(recipe.splits)}: extract them first.")
    built = []
    for positions, classes in triples(recipe):
        sides = sides_of([runs[i] for i in positions]) if recipe.over_seeds else []
        drawn = [positions[side.positions[0]] for side in sides] or positions
        rows = _grid(recipe, runs, loaded, summaries, drawn, classes)
        if sides:
            every = _grid(recipe, runs, loaded, summaries, positions, classes)
            rows = [_over_seeds(row, side, every) for row, side in zip(rows, sides, strict=True)]
        if recipe.view != PLANE:
            found = _embeddings(recipe, [loaded[i] for i in positions], classes, say)
            rows = embedded(rows, found, recipe.scale)
        built.append([[next((p for p in row if p.split == s), None) for s in columns] for row in rows])
    return built


def _grid(
    recipe: Recipe,
    runs: Sequence[Run],
    loaded: Sequence[Mapping[str, Activations]],
    summaries: Sequence[Mapping[str, SplitStatistics]] | None,
    positions: Sequence[int],
    classes: Sequence[Class],
) -> list[list[Panel]]:
    """Panels of some of the runs of a recipe, a row a run."""
    return build_grid(
        [loaded[i] for i in positions],
        classes,
        per_class=recipe.per_class,
        seed=recipe.seed,
        bias=recipe.bias,
        scale=recipe.scale,
        label_smoothings=[runs[i].config.label_smoothing for i in positions],
        targets=[run_activations.targets_of(runs[i]) for i in positions],
        summaries=None if summaries is None else [summaries[i] for i in positions],
        remarks=[runs[i].adoption.mark for i in positions],
        pull=recipe.marks.pull,
    )


def _over_seeds(row: Sequence[Panel], side: Side, every: Sequence[Sequence[Panel]]) -> list[Panel]:
    """The panels of the run that is drawn, with the numbers of its side."""
    made = []
    for panel in row:
        others = [p for i in side.positions for p in every[i] if p.split == panel.split]
        if len(others) < len(side.positions):
            raise InputError(f"{panel.split} is not extracted for every seed of {side.names[0]}.")
        made.append(panel_over_seeds(panel, side, others))
    return made


def _embeddings(
    recipe: Recipe,
    runs: Sequence[Mapping[str, Activations]],
    classes: Sequence[Class],
    say: Callable[[str], None] | None = None,
) -> list[Embedding]:
    return embed_runs(runs, classes, recipe.view, all_classes=recipe.all_classes, seed=recipe.seed, say=say)


def paper_rows(recipe: Recipe, grids: Sequence[Grid]) -> Grid:
    """Rows as they stand on the paper: a row a run, or with "figure1" a row a triple."""
    if recipe.layout == "figure1":
        if recipe.style.by_split:
            grids = [[list(column) for column in zip(*grid, strict=True)] for grid in grids]
        return [[panel for row in grid for panel in row] for grid in grids]
    return grids[0]


def draw(
    recipe: Recipe,
    grids: Sequence[Grid],
    format: str,
    directory: Path = Path(),
    report: Callable[[int, int], None] = lambda done, of: None,
) -> bytes:
    """A figure as the bytes of a file.

    Args:
        recipe: what to draw; grids: its panels (`build_panels`); format: one of FILM_FORMATS; directory:
            where the path of a font starts; report: told the pictures of an animation
            that are drawn, and their number.

    Raises:
        InputError: an unknown format, or a figure that cannot be drawn so.
    """
    from penviz.plot.paper.plane import figure_bytes, html_bytes, paper_figure

    if format not in FILM_FORMATS:
        raise InputError(f"A figure is not written as {format}: choose {', '.join(FORMATS)}.")
    if format == "gif":
        if not recipe.film:
            raise InputError("A gif is the animation of a film: name its epochs with --film.")
        still = replace(recipe, layout="grid", dpi=min(recipe.dpi, snapshot_animation.GIF_DPI))
        return snapshot_animation.animation(
            grids[0], lambda one: draw(still, [one], "png", directory), report
        )
    rows = paper_rows(recipe, grids)
    if format == "html":
        if recipe.style != FigureStyle():
            raise InputError(
                "A style is of figures on paper, not of html: leave it out, or choose pdf or svg."
            )
        flat = [panel for row in rows for panel in row]
        columns = len(flat) if recipe.layout == "strip" else max(map(len, rows))
        return html_bytes(flat, columns=columns, marks=recipe.marks)
    figure = paper_figure(
        rows,
        venue=recipe.venue,
        width=recipe.width,
        layout=recipe.layout,
        marks=recipe.marks,
        letters=recipe.letters,
        corner=recipe.corner,
        dpi=recipe.dpi,
        font=find_font(recipe.font, directory),
        style=recipe.style,
    )
    kind = "tikz" if format == "tex" else format
    return figure_bytes(figure, kind, dpi=recipe.dpi, text=recipe.text)


def build_parts(
    recipe: Recipe,
    runs: Sequence[Run],
    loaded: Sequence[Mapping[str, Activations]],
    grids: Sequence[Grid],
    summaries: Sequence[Mapping[str, SplitStatistics]] | None = None,
) -> list[Part]:
    """What the bundle says about every triple: panels, numbers, finding; arguments as `build_panels`."""
    if summaries is None:
        summaries = [{s: SplitStatistics.of(a) for s, a in parts.items()} for parts in loaded]
    made = []
    for (positions, classes), grid in zip(triples(recipe), grids, strict=True):
        own = [runs[i] for i in positions]
        sides = sides_of(own) if recipe.over_seeds else []
        digests = [summaries[i] for i in positions]
        alphas = [run.config.label_smoothing for run in own]
        targets = [run_activations.targets_of(run) for run in own]
        table = compare(digests, classes, bias=recipe.bias, label_smoothings=alphas, targets=targets)
        names = [run.name for run in own]
        seeds = [run.seed for run in own]
        finding = build_finding(
            table,
            names=names,
            label_smoothings=alphas,
            targets=targets,
            seeds=seeds,
            differences=differences(own),
            runs=digests,
            adopted=[run.adopted for run in own],
            recipe=recipe_of(own),
        )
        maps = _maps(recipe, [loaded[i] for i in positions], table.classes)
        notes = [n for i in positions for n in run_activations.notes(runs[i], loaded[i])]
        kinds = [one.kind for one in targets]
        notes += [snapshot_animation.NOTE] if recipe.film else []
        if sides:
            first = [side.positions[0] for side in sides]
            table = table_over_seeds(table, sides, [alphas[i] for i in first])
            names, alphas = [names[i] for i in first], [alphas[i] for i in first]
            seeds, kinds, maps = (
                [seeds[i] for i in first],
                [kinds[i] for i in first],
                [maps[i] for i in first],
            )
        made.append(Part(grid, table, finding, names, alphas, seeds, maps, notes, kinds, sides))
    return made


def _maps(
    recipe: Recipe, runs: Sequence[Mapping[str, Activations]], classes: Sequence[int]
) -> list[Plane | LinearMap]:
    """What took the features of each run to the picture; empty for UMAP."""
    if recipe.view == PLANE:
        heads = [next(iter(run.values())).planar_head(recipe.bias) for run in runs]
        return [Plane.of_head(head, classes, bias) for head, bias in heads]
    if recipe.view not in LINEAR:
        return []
    return [one.map for one in _embeddings(recipe, runs, classes) if one.map is not None]


def pack(
    recipe: Recipe,
    grids: Sequence[Grid],
    parts: Sequence[Part],
    formats: Sequence[str],
    stem: str,
    directory: Path = Path(),
    runs: Sequence[Run] = (),
) -> dict[str, bytes]:
    """The bundle of a figure: file name -> bytes.

    Args:
        recipe: of the figure; grids, parts: as built from it; runs: of it, for its methods.
        formats: of the figures, out of FORMATS;
            stem: name of the figures; directory: where the path of a font starts.
    """
    figures = {f"{stem}.{format}": draw(recipe, grids, format, directory) for format in formats}
    written = replace(recipe, versions=versions()).to_yaml()
    return bundle(
        parts,
        figures=figures,
        recipe=written,
        marks=recipe.marks,
        bold_best=recipe.bold_best,
        corner=recipe.corner,
        runs=runs,
    )


def new_recipe(
    directories: Sequence[Path],
    classes: Sequence[str] | None = None,
    rows: Sequence[str] = (),
    splits: Sequence[str] | None = None,
    font: Path | None = None,
    **choices: Any,
) -> tuple[Recipe, list[Run], list[dict[str, Activations]]]:
    """A recipe from what a command line says, with the runs and activations it was made from.

    Args:
        directories: of the runs; classes: names or rows of the head, the first three when not given.
        rows: instead of both, lines such as "HARD SOFT: beaver dolphin otter".
        splits: columns; font: a file; choices: other fields of a Recipe.

    Raises:
        InputError: a run that cannot be used, an unknown class, or a choice that does not fit.
    """
    if rows and (directories or classes):
        raise InputError("Runs and classes stand in the rows: leave out the others.")
    wanted = [_row(line) for line in rows]
    runs = read_runs([*directories, *(Path(place) for places, _ in wanted for place in places)])
    if not runs:
        raise InputError("Name the runs to draw, or a recipe with --recipe.")
    if splits and (ordered := [s for s in SPLITS if s in splits]) != [s for s in splits if s in SPLITS]:
        raise InputError(f"Columns stand in the order {', '.join(ordered)}: give each --split once, so.")
    film = tuple(choices.get("film", ()))
    shown = {split for own in shown_splits(runs) for split in own}
    columns = tuple(splits or (("train",) if film else (s for s in SPLITS if s in shown)))
    columns = columns or ("train", "validation")  # where nothing is stored, which is said below
    if choices.get("view", PLANE) != PLANE:
        choices.setdefault("corner", ())
    held = [filmed_splits(run) if film else _splits(run, columns) for run in runs]
    named = [
        describe_run(run, str(run.directory), own, bool(film)) for run, own in zip(runs, held, strict=True)
    ]
    called = {run.directory.resolve(): run.name for run in runs}
    given = [
        RecipeRow(tuple(called[Path(place).resolve()] for place in places), _triple(names))
        for places, names in wanted
    ]
    if font is not None:
        choices["font"] = font_of(font)
    triple: tuple[Class, ...] = () if rows else _triple(classes) if classes else (0, 1, 2)
    recipe = Recipe(tuple(named), triple, tuple(given), columns, versions=versions(), **choices)
    loaded = load_splits(recipe, runs)
    if few := next((parts for parts in loaded if len(next(iter(parts.values())).class_names) < 3), None):
        a = next(iter(few.values()))
        raise InputError(
            f"A template plane needs three classes, {a.run} has {len(a.class_names)}: "
            "two stand on an axis, drawn with --figure two-classes."
        )
    if not rows and not classes:
        recipe = replace(recipe, classes=run_activations.first_classes(loaded))
    known = [next(iter(parts.values())).class_names for parts in loaded]
    words = [class_words(names, known[positions[0]]) for positions, names in triples(recipe)]
    if rows:
        exact = tuple(replace(row, classes=names) for row, names in zip(recipe.rows, words, strict=True))
        return replace(recipe, rows=exact), runs, loaded
    return replace(recipe, classes=words[0]), runs, loaded


def filmed_splits(run: Run) -> list[str]:
    """Splits of a run that have snapshots; InputError where none has."""
    if not (found := splits_of(run)):
        raise InputError(f"{run.name} has no snapshots: train it with --snapshots.")
    return found


def _splits(run: Run, columns: Sequence[str]) -> list[str]:
    """Splits of a run that its figure is made from; InputError where it has none of them."""
    if not (found := [s for s in run.splits() if s in ("train", run.judged_on(), *columns)]):
        raise run_activations.lacking(run, " or ".join(columns))
    return found


def _row(line: str) -> tuple[list[str], list[str]]:
    """Directories and classes of a row typed by hand."""
    runs, _, classes = line.rpartition(":")
    if not runs.split() or len(classes.split()) != 3:
        raise InputError(f"{line!r} is not a row: write one as 'HARD SOFT: beaver dolphin otter'.")
    return runs.split(), classes.split()


def _triple(classes: Sequence[str]) -> tuple[Class, Class, Class]:
    left, right, above = safe_names(classes)
    return left, right, above
