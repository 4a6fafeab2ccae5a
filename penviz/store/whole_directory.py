"""A directory that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_directory(out: Path, *, private: bool = False) -> Iterator[Path]:
    """A directory under a temporary name beside `out` that takes its name at the end, or is removed.

    Args:
        out: nothing, or an empty directory, in a directory that exists; private: for its owner's eyes only.
    """
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        yield part
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            part.chmod(0o777 & ~mask)
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
