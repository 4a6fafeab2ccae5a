"""Options that several verbs share. What is heavy is imported inside a function."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penviz.ending import speaks
from penviz.runs import RunError

DataDir = Annotated[
    Path,
    typer.Option(help="Where data sets lie: <name>.npz, or torchvision's archive, downloaded on first use."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch; its own choice when not given.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]
ProgressKind = Annotated[str, typer.Option(help="bar, json (a line of JSON a message) or none.")]


def set_threads(threads: int | None) -> None:
    """Torch's threads, where a number was given."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def check_progress(kind: str) -> str:
    """The kind that this process shows: none where another rank does; RunError for an unknown one."""
    if kind not in ("bar", "json", "none"):
        raise RunError("--progress must be bar, json or none.")
    return kind if speaks() else "none"
