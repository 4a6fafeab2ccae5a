"""A directory that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_directory(out: Path, *, private: bool = False) -> Iterator[Path]:
    """A directory under a temporary name beside `out` that takes its name at the end, or is removed.

    Args:
        out: nothing, or an empty directory, in a directory that exists; private: for its owner's eyes only.
    """
    part = out.with_name(f".{out.name}.{secrets.token_hex(8)}.part")
    part.mkdir(0o700 if private else 0o777)  # a mode that is changed later is refused in the sandbox
    try:
        yield part
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
