"""A file that appears whole or not at all, and disks that are full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write under, which becomes `path` once it is flushed to the disk, or is removed.

    Raises:
        OSError: the disk is full, or another of its faults; it names `path`.
    """
    part = path.with_name(path.name + ".part")
    try:
        with naming(path):
            yield part
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk without room: it is full, a quota is used up, or a file may not become so long."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors of the disk that name no file the name of `path`, which is being written."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        # NumPy says "N requested and M written", without a number.
        raise OSError(error.errno or errno.ENOSPC, error.strerror or str(error), str(path)) from error
