"""A new run directory, where none is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penviz.foreign.whole_directory import whole_directory
from penviz.learn.ranks import Ranks
from penviz.runs import RunError


@contextmanager
def new_directory(out: Path) -> Iterator[Path]:
    """A directory under a temporary name beside `out` that takes its name at the end, or is removed.

    Raises:
        RunError: `out` exists and is not an empty directory.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not empty: choose another --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_directory(out) as part:
        yield part


@contextmanager
def shared_directory(out: Path, ranks: Ranks) -> Iterator[Path]:
    """A directory OUT.part that all ranks see and that takes its name at the end.

    It stays when the work is broken off, so that the same command finds the shards that are done.

    Raises:
        RunError: `out` exists and is not an empty directory.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not empty: choose another --out.")
    part = out.with_name(f"{out.name}.part")
    if ranks.first:
        part.mkdir(parents=True, exist_ok=True)
    ranks.wait()
    yield part
    ranks.wait()
    if ranks.first:
        os.replace(part, out)
