"""`penviz inspect`: what a file is and holds, without running anything in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz import InputError


def inspect(
    file: Annotated[Path, typer.Argument(help="A file, an index of shards, or a directory with one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a file is and holds; nothing in it is run. Status 2 if it may not be loaded."""
    from penviz.external.reader.inspection import inspect_file
    from penviz.external.reader.report import OF_WEIGHTS
    from penviz.external.reader.report_text import refusal_text, report_text

    report = inspect_file(file)
    found: list[Any] = []
    if report.kind in OF_WEIGHTS and not (report.refusal or report.holds_activations):
        from penviz.external.networks.architectures import candidates

        trained = str(report.training.get("model", ""))
        found = candidates(report.tensors, report.n_classes, trained=trained, most=5)
    if as_json:
        networks = [{"name": c.name, "complete": c.complete, "evidence": c.evidence} for c in found]
        print(json.dumps(report.to_json() | {"networks": networks}, indent=1), flush=True)
    else:
        print(report_text(report, [f"{c.name}: {c.evidence}" for c in found]), flush=True)
    if report.refusal:
        raise InputError(refusal_text(report))
