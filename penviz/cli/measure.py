"""`penviz measure`: the numbers of runs, and what they say."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from penviz.cli.options import not_options
from penviz.exit_codes import say
from penviz.store.run_config import RunError
from penviz.store.runs import Run


def measure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    classes: Annotated[
        tuple[str, str, str] | None,
        typer.Option(callback=not_options, help="Names or indices; the first three if not given."),
    ] = None,
    bias: Annotated[bool, typer.Option(help="Whether a template includes the bias.")] = True,
    find: Annotated[
        str | None,
        typer.Option(help="List ten triples: most-confused, most-alike, most-changed or least-changed."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of --find; if not given, one that the runs have not seen.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the numbers of one or more runs, and what they say."""
    if find is not None and classes is not None:
        raise RunError("--find looks through all triples: leave out --classes.")
    if find is None and split is not None:
        raise RunError("--split goes with --find only: the numbers are of every split that there is.")
    from penviz.cli import terminal
    from penviz.figures.open_study import open_study
    from penviz.plot.words import column_names
    from penviz.study.comparison import ComparisonOptions
    from penviz.study.comparison_record import comparison_record

    study = open_study(runs, classes or ())
    if find is not None and len(study.class_names) > 2:
        chosen, ranking = study.find(find, split, bias)
        print(terminal.ranking_text(ranking, find, study.class_names, chosen, as_json))
        return
    if len(study.class_names) < 3:
        raise RunError(
            f"A template plane needs three classes, {study.runs[0].name} has {len(study.class_names)}: draw "
            "two on an axis with penviz figure --figure two-classes, or open the app."
        )
    missing = [(one.run, splits) for one in study.runs if (splits := one.unmeasured())]
    for run, splits in missing:
        _measure_shards(run, splits)
    if missing:
        study = open_study(runs, classes or ())
    comparison = study.compare(classes, ComparisonOptions(bias=bias))
    if as_json:
        print(json.dumps(comparison_record(comparison), indent=1))
        return
    targets = [one.targets for one in study.runs]
    alphas, kinds = [t.label_smoothing for t in targets], [t.kind for t in targets]
    heads = column_names(alphas, comparison.names, comparison.table.class_means, kinds)
    print(terminal.table_text(comparison, heads))


def _measure_shards(run: Run, splits: Sequence[str]) -> None:
    """The numbers over all classes of some splits in shards, with a bar a split."""
    from penviz.cli import terminal
    from penviz.store import run_activations

    for split in splits:
        say(f"{run.name}: one pass over the {split} shards, for the numbers over all classes.")
        with terminal.ExtractionProgress("bar") as report:
            run_activations.measure_shards(run, split, functools.partial(report, split))
