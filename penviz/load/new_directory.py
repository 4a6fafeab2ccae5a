"""A run directory that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        yield part
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o777 & ~mask)
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
