"""`penviz calibrate`: confidence against accuracy, before and after temperature scaling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from penviz.did_you_mean import did_you_mean
from penviz.exit_codes import say
from penviz.store.runs import RunError, differences, named_apart, read_runs


def calibrate(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="One half of it is fitted on, the other measured; if not given, one the runs have not seen."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the two halves.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how far confidence is from accuracy, before and after temperature scaling, and what it says."""
    found = named_apart(read_runs(runs))
    from penviz.figures.open_study import stale
    from penviz.metrics.calibration.calibrated import Calibrated
    from penviz.store import run_activations
    from penviz.store.runs import SPLITS, judged_split
    from penviz.study import calibration_report
    from penviz.study.calibration_finding import describe

    split = judged_split(found) if split is None else split
    if split not in SPLITS:
        raise RunError(
            f"There is no split {split}{did_you_mean(split, SPLITS)}: it is one of {', '.join(SPLITS)}."
        )
    loaded, notes = [], []
    for run in found:
        if split not in run.splits():
            raise run_activations.lacking(run, split)
        parts = run_activations.load(run, (split,))
        notes += run_activations.notes(run, parts)
        if parts[split].over_all is not None:
            raise RunError(f"{run.name} is kept in shards: calibration needs one file of activations.")
        if parts[split].partial:
            raise RunError(f"{run.name} is a quick look at some classes: calibration needs the full pass.")
        for sentence in stale(run, parts):
            say(sentence)
        loaded.append(Calibrated.of(parts[split], seed))
    names = [run.name for run in found]
    finding = describe(
        loaded,
        names=names,
        label_smoothings=[run.config.label_smoothing for run in found],
        seeds=[run.seed for run in found],
        differences=differences(found),
        adopted=[run.adopted for run in found],
        targets=[run_activations.targets_of(run) for run in found],
    )
    if as_json:
        print(json.dumps(calibration_report.record(loaded, names, finding, seed, notes), indent=1))
    else:
        print(calibration_report.text(loaded, names, finding, notes))
