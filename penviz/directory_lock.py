"""One process at a time writes to a run's directory. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penviz.runs import RunError


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a directory that exists; the kernel lets go of it when the process ends, however it ends.

    Nothing is left in the directory: the lock (flock) is on the directory itself. Where the system or its
    file system knows no such locks, nothing is held.

    Raises:
        RunError: another process, or another part of this one, holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"Another process is writing to {directory}: wait until it ends, or choose another directory."
            ) from None
        except OSError:  # some network file systems
            pass
        yield
    finally:
        os.close(handle)
