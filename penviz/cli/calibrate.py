"""`penviz calibrate`: confidence against accuracy, before and after temperature scaling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from penviz.store.run_config import RunError
from penviz.store.runs import check_split, judged_split, named_apart, read_runs


def calibrate(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    split: Annotated[
        str | None,
        typer.Option(
            help=(
                "Split to use: temperatures are fitted on one half, numbers measured on the other; if not "
                "given, one the runs have not seen."
            )
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the two halves.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how far confidence is from accuracy, before and after temperature scaling, and what it says."""
    found = named_apart(read_runs(runs))
    from penviz.study import calibration_report

    split = judged_split(found) if split is None else split
    check_split(split)
    from penviz.figures.open_study import open_run
    from penviz.study.study import Study

    study = Study(tuple(open_run(run, splits=(split,)) for run in found))
    calibration = study.calibration(split, seed)
    if calibration.refused:
        raise RunError(calibration.refused[0])
    if as_json:
        print(json.dumps(calibration_report.record(calibration), indent=1))
    else:
        print(calibration_report.text(calibration))
