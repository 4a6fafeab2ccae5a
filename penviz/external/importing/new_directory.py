"""A new run directory, where none is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penviz.store.run_config import RunError
from penviz.store.whole_directory import whole_directory
from penviz.training.ranks import Ranks


def check_new(out: Path) -> None:
    """RunError unless `out` can be made: nothing or an empty directory, where one may write."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: choose another --out.")
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty: choose another --out.")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(f"Nothing can be written in {above}: choose another --out.")


@contextmanager
def new_directory(out: Path) -> Iterator[Path]:
    """A directory under a temporary name beside `out` that takes its name at the end, or is removed.

    Raises:
        RunError: see `check_new`.
    """
    check_new(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_directory(out) as part:
            yield part
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise RunError(f"Another process has made {out}: choose another --out.") from None


@contextmanager
def shared_directory(out: Path, ranks: Ranks) -> Iterator[Path]:
    """A directory OUT.part that all ranks see and that takes its name at the end.

    It stays when the work is broken off, so that the same command finds the shards that are done.

    Raises:
        RunError: see `check_new`.
    """
    check_new(out)
    part = out.with_name(f"{out.name}.part")
    if ranks.first:
        part.mkdir(parents=True, exist_ok=True)
    ranks.wait()
    with ranks.alone_in(part):
        yield part
        ranks.wait()
        if ranks.first:
            os.replace(part, out)
