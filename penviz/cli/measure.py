"""`penviz measure`: the numbers of runs, and what they say."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penviz.cli.options import not_options
from penviz.exit_codes import say
from penviz.store.runs import Run, RunError, differences, judged_split, named_apart, read_runs, recipe_of

if TYPE_CHECKING:
    from penviz.store.activations import Activations


def measure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    classes: Annotated[
        tuple[str, str, str] | None,
        typer.Option(callback=not_options, help="Names or indices; the first three when not given."),
    ] = None,
    bias: Annotated[bool, typer.Option(help="The template holds the bias.")] = True,
    find: Annotated[
        str | None,
        typer.Option(help="Ten triples: most-confused, most-alike, most-changed or least-changed."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Of --find; if not given, one that the runs have not seen.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the numbers of one or more runs, and what they say."""
    if find is not None and classes is not None:
        raise RunError("--find looks through all triples: leave out --classes.")
    if find is None and split is not None:
        raise RunError("--split is of --find: the numbers are of every split that there is.")
    found = named_apart(read_runs(runs))
    from penviz.cli import terminal
    from penviz.figures.open_study import stale
    from penviz.plot.words import column_names
    from penviz.projection.split_statistics import SplitStatistics
    from penviz.store import run_activations
    from penviz.study.finding import build_finding
    from penviz.study.geometry import geometry_table, measure_geometry, no_room
    from penviz.study.table import compare
    from penviz.study.withheld_intervals import withheld_intervals

    opened, notes = [], []
    for run in found:
        if not run.splits():
            raise run_activations.lacking(run)
        parts = run_activations.load(run, classes=classes or ())
        if find is None and (missing := run_activations.unmeasured(run, parts)):
            _measure_shards(run, missing)
            parts = run_activations.load(run, classes=classes or ())
        notes += run_activations.notes(run, parts)
        for sentence in stale(run, parts):
            say(sentence)
        opened.append(parts)
    names = next(iter(opened[0].values())).class_names
    if find is not None and len(names) > 2:
        print(_found(find, split, judged_split(found), opened, bias, as_json))
        return
    if len(names) < 3:
        raise RunError(
            f"A template plane needs three classes, {found[0].name} has {len(names)}: two stand on an axis, "
            "drawn by penviz figure --figure two-classes and in the app."
        )
    triple = classes or run_activations.first_classes(opened)
    loaded = [{split: SplitStatistics.of(a) for split, a in parts.items()} for parts in opened]
    alphas = [run.config.label_smoothing for run in found]
    targets = [run_activations.targets_of(run) for run in found]
    table = compare(loaded, triple, bias=bias, label_smoothings=alphas, targets=targets)
    labels = [run.name for run in found]
    finding = build_finding(
        table,
        names=labels,
        label_smoothings=alphas,
        targets=targets,
        seeds=[run.seed for run in found],
        differences=differences(found),
        runs=loaded,
        adopted=[run.adopted for run in found],
        recipe=recipe_of(found),
    )
    notes += withheld_intervals(table, labels)
    collapse = [measure_geometry(one) for one in loaded]
    geometry = geometry_table(table, loaded, collapse), no_room(collapse)
    if as_json:
        print(json.dumps(terminal.table_record(table, labels, finding, alphas, notes, geometry), indent=1))
    else:
        heads = column_names(alphas, labels, table.class_means, [t.kind for t in targets])
        print(terminal.table_text(table, labels, heads, finding, notes, geometry))


def _measure_shards(run: Run, splits: Sequence[str]) -> None:
    """The numbers over all classes of some splits in shards, with a bar a split."""
    from penviz.cli import terminal
    from penviz.store import run_activations

    for split in splits:
        say(f"{run.name}: one pass over the {split} shards, for the numbers over all classes.")
        with terminal.ExtractionProgress("bar") as report:
            run_activations.measure_shards(run, split, functools.partial(report, split))


def _found(
    how: str,
    split: str | None,
    judged: str,
    opened: Sequence[Mapping[str, Activations]],
    bias: bool,
    as_json: bool,
) -> str:
    """Ten triples as text or JSON; confusion and likeness are those of the first run."""
    from penviz.cli import terminal
    from penviz.metrics.tightness.finder import find
    from penviz.projection.split_statistics import SplitStatistics

    shared = [
        s
        for s in dict.fromkeys((judged, "validation", "train", "test"))
        if all(s in parts for parts in opened)
    ]
    if not shared or (split is not None and split not in shared):
        raise RunError(
            f"Not all of these runs have activations of {split or 'one split'}: extract them first."
        )
    chosen = split or shared[0]
    if sharded := next((a for a in (parts[chosen] for parts in opened) if a.over_all is not None), None):
        raise RunError(f"{sharded.run} is kept in shards: triples are found in one file of activations.")
    if len({parts[chosen].class_names for parts in opened}) > 1:
        raise RunError("Runs with different lists of classes have no triples in common: choose others.")
    ranking = find(how, [SplitStatistics.of(parts[chosen]) for parts in opened], bias=bias)
    return terminal.ranking_text(ranking, how, opened[0][chosen].class_names, chosen, as_json)
