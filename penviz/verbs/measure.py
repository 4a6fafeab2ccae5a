"""`penviz measure`: the numbers of runs, and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from penviz.ending import say
from penviz.runs import RunError, differences, read_run


def measure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    classes: Annotated[
        tuple[str, str, str] | None, typer.Option(help="Names or indices; the first three when not given.")
    ] = None,
    bias: Annotated[bool, typer.Option(help="The template holds the bias.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the numbers of one or more runs, and what they say."""
    found = [read_run(path) for path in runs]
    from penviz import run_activations, terminal
    from penviz.measure.finding import build_finding
    from penviz.measure.summary import Summary
    from penviz.measure.table import compare
    from penviz.run_activations import first_classes

    opened, notes = [], []
    for run in found:
        if not run.splits():
            raise RunError(f"{run.directory} has no activations: run penviz extract {run.directory} first.")
        parts = run_activations.load(run)
        notes += run_activations.notes(run, parts)
        for split, activations in parts.items():
            if run.model_sha256 and activations.checkpoint_sha256 != run.model_sha256:
                say(f"{run.name}: the {split} activations are of another checkpoint; extract it again.")
        opened.append(parts)
    names = next(iter(opened[0].values())).class_names
    if len(names) < 3:
        raise RunError(
            f"A template plane needs three classes, {found[0].name} has {len(names)}: two stand on an axis, "
            "drawn by penviz figure --figure two-classes and in the app."
        )
    triple = [_class(name, names) for name in classes or ()] or first_classes(opened)
    loaded = [{split: Summary.of(a) for split, a in parts.items()} for parts in opened]
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
    )
    if as_json:
        print(json.dumps(terminal.table_record(table, labels, finding, alphas, notes), indent=1))
    else:
        print(terminal.table_text(table, labels, finding, notes))


def _class(name: str, names: tuple[str, ...]) -> str | int:
    return int(name) if name.isdigit() and name not in names else name
