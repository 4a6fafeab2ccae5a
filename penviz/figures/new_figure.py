"""A figure from what a command line says: its spec, with the words of classes and the splits filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.figures import charts, snapshot_animation
from penviz.figures.build import Figure, Say, build, open_runs
from penviz.figures.spec import CHART_KEYS, Class, FigureSpec, SpecRow
from penviz.figures.spec_files import describe_font, describe_run
from penviz.figures.spec_yaml import is_text, versions
from penviz.plot.paper import style as figure_style
from penviz.plot.paper.style import FigureStyle
from penviz.plot.screen import Marks
from penviz.projection.projection import class_indices
from penviz.projection.views import PLANE
from penviz.store import run_activations
from penviz.store.runs import SPLITS, Run, read_run, read_runs, shown_splits
from penviz.store.safe_text import safe_names
from penviz.store.snapshots import splits_of
from penviz.study.study_run import StudyRun


def new_figure(directories: Sequence[Path], choices: Mapping[str, Any], say: Say | None = None) -> Figure:
    """A figure of some runs.

    Args:
        directories: of the runs.
        choices: fields of a FigureSpec, but `rows` are lines such as "HARD SOFT: beaver dolphin otter" and
            `font` is a file. Of planes also `preset`, to which all others are exceptions; `show` and `hide`,
            names of marks; and the fields of a FigureStyle.
        say: as for `build`.

    Raises:
        InputError: a run that cannot be used, an unknown class, or a choice that does not fit.
    """
    if choices.get("figure"):
        return _of_charts(directories, **choices)
    if "options" in choices or "columns" in choices:
        raise InputError("Options and columns are those of a figure of charts: name it with --figure.")
    return _of_planes(directories, say, **_with_look(choices))


def _of_charts(
    directories: Sequence[Path],
    figure: str,
    options: Mapping[str, object] | None = None,
    font: Path | None = None,
    **choices: Any,
) -> Figure:
    """The splits are those that the runs are judged on, unless the options say others."""
    if others := [key for key in choices if key not in CHART_KEYS]:
        words = ", ".join(others).replace("_", "-")
        raise InputError(f"These are choices of template planes, not of charts: {words}.")
    given = options or {}
    charts.settings(figure, given)
    if not directories:
        raise InputError("Name the runs to draw, or a recipe with --recipe.")
    runs = read_runs(directories)
    whole = charts.settings(figure, charts.own_splits(figure, runs) | dict(given))
    made = charts.build(figure, runs, whole)
    named = [
        describe_run(run, str(run.directory), charts.files(figure, run, whole), figure=figure) for run in runs
    ]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in whole.items()}
    spec = FigureSpec(
        tuple(named),
        figure=figure,
        options=plain,
        font=describe_font(font),
        versions=versions(),
        **choices,
    )
    return build(spec, open_runs(spec, runs), charts_made=made)


def _of_planes(
    directories: Sequence[Path],
    say: Say | None,
    classes: Sequence[str] | None = None,
    rows: Sequence[str] = (),
    splits: Sequence[str] | None = None,
    font: Path | None = None,
    **choices: Any,
) -> Figure:
    """The first three classes, and the splits that the runs are judged on, unless others are given."""
    if rows and (directories or classes):
        raise InputError("Runs and classes stand in the rows: leave out the others.")
    wanted = [_row(line) for line in rows]
    runs = read_runs([*directories, *(Path(place) for places, _ in wanted for place in places)])
    if not runs:
        raise InputError("Name the runs to draw, or a recipe with --recipe.")
    if splits and (ordered := [s for s in SPLITS if s in splits]) != [s for s in splits if s in SPLITS]:
        raise InputError(f"Columns stand in the order {', '.join(ordered)}: give each --split once, so.")
    film = bool(choices.get("film"))
    shown = {split for own in shown_splits(runs) for split in own}
    columns = tuple(splits or (("train",) if film else (s for s in SPLITS if s in shown)))
    columns = columns or ("train", "validation")  # where nothing is stored, which is said below
    if choices.get("view", PLANE) != PLANE:
        choices.setdefault("corner", ())
    called = {run.directory.resolve(): run.name for run in runs}
    spec = FigureSpec(
        tuple(
            describe_run(run, str(run.directory), read_splits(run, columns, film), film=film) for run in runs
        ),
        () if rows else _triple(classes) if classes else (0, 1, 2),
        rows=tuple(
            SpecRow(tuple(called[Path(place).resolve()] for place in places), _triple(names))
            for places, names in wanted
        ),
        splits=columns,
        font=describe_font(font),
        versions=versions(),
        **choices,
    )
    opened = open_runs(spec, runs)
    return build(_exact(spec, opened, bool(classes)), opened, say=say)


def _exact(spec: FigureSpec, opened: Sequence[StudyRun], chosen: bool) -> FigureSpec:
    """The same with classes as `class_words` has them, the first three of the runs where none are chosen."""
    names = [next(iter(one.splits.values())).class_names for one in opened]
    for one, own in zip(opened, names, strict=True):
        if len(own) < 3:
            raise InputError(
                f"A template plane needs three classes, {one.name} has {len(own)}: "
                "two stand on an axis, drawn with --figure two-classes."
            )
    if not spec.rows and not chosen:
        spec = replace(spec, classes=run_activations.first_classes([one.splits for one in opened]))
    words = [class_words(wanted, names[at[0]]) for at, wanted in spec.triples]
    if not spec.rows:
        return replace(spec, classes=words[0])
    return replace(
        spec, rows=tuple(replace(row, classes=own) for row, own in zip(spec.rows, words, strict=True))
    )


def class_words(wanted: Sequence[Class], class_names: Sequence[str]) -> tuple[Class, Class, Class]:
    """Three classes as a spec names them: by name, or by row where several have the name or it is empty.

    Raises:
        ActivationsError: as `class_indices`.
    """
    names = list(class_names)
    left, right, above = (
        names[k] if names.count(names[k]) == 1 and is_text(names[k]) else k
        for k in class_indices(list(wanted), names)
    )
    return left, right, above


def read_splits(run: Run, columns: Sequence[str], film: bool) -> list[str]:
    """Splits of a run that its figure is made from; InputError where it has none of them."""
    if film:
        if not (kept := splits_of(run)):
            raise InputError(f"{run.name} has no snapshots: train it with --snapshots.")
        return kept
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


def _with_look(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The same with marks, style, preset and corner as fields of a FigureSpec."""
    given = dict(choices)
    name, show, hide = (given.pop(key, None) for key in ("preset", "show", "hide"))
    look = {f.name: given.pop(f.name) for f in fields(FigureStyle) if f.name in given}
    more = (figure_style.preset(name) if name else {}) | given
    more["marks"] = _marks(show or [], hide or [], more.get("marks", Marks()))
    more["style"] = replace(more.get("style", FigureStyle()), **look)
    if list(more.get("corner", ())) == ["none"]:
        more["corner"] = ()
    return more


def _marks(show: Sequence[str], hide: Sequence[str], usual: Marks) -> Marks:
    names = [f.name for f in fields(Marks)]
    if "all" in hide:
        usual, hide = replace(usual, **dict.fromkeys(names, False)), [word for word in hide if word != "all"]
    if unknown := [word for word in (*show, *hide) if word not in names]:
        meant = did_you_mean(unknown[0], names)
        raise InputError(f"There is nothing called {unknown[0]} to show{meant}: choose {', '.join(names)}.")
    if both := sorted(set(show) & set(hide)):
        raise InputError(f"To show {both[0]} and to hide it cannot both be: choose one.")
    return replace(usual, **dict.fromkeys(show, True), **dict.fromkeys(hide, False))


def options_of(words: Sequence[str]) -> dict[str, object]:
    """Options typed as KEY=VALUE; values are read as YAML: 3, true and [a, b] are what they look like.

    Raises:
        InputError: a word that is not of this form.
    """
    found: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            found[key.strip().replace("-", "_")] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise InputError(f"{word!r} is not an option: write one as KEY=VALUE.")
    return found


def film_epochs(words: str, runs: Sequence[Path]) -> tuple[int, ...]:
    """Epochs as typed, "1 5 20" or "1,5,20"; for "all" those that all runs kept. InputError for others."""
    if words.strip() == "all":
        kept = [
            set(next(iter(snapshot_animation.load(read_run(run)).values())).epochs.tolist()) for run in runs
        ]
        if not kept or not (common := set.intersection(*kept)):
            raise InputError("These runs kept no epoch in common: draw one of them.")
        return tuple(sorted(common))
    found = words.replace(",", " ").split()
    if not found or not all(word.isdecimal() and word.isascii() and len(word) < 8 for word in found):
        raise InputError(f"{words!r} are no epochs: write them as '1 6 19 100', or all.")
    return tuple(sorted({int(word) for word in found}))
