"""One job at a time writes to a run's directory. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from penviz.store.run_config import RunError


@cache
def _held() -> ContextVar[frozenset[tuple[int, int]]]:
    """Device and inode of each directory that the job of a context holds."""
    return ContextVar("held", default=frozenset())


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a directory that exists; the kernel lets go of it when the process ends, however it ends.

    Nothing is left in the directory: the lock (flock) is on the directory itself. Where the system or its
    file system knows no such locks, nothing is held.

    A job that holds the directory may take it again, as where a slice of work holds a run's directory and
    trains in it: the outermost block lets go. A job is what runs in one context (`contextvars`); another
    thread is another job.

    Raises:
        RunError: another process, or another job in this one, holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    holding = _held()
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        status = os.fstat(handle)
        place = (status.st_dev, status.st_ino)
        if place in holding.get():
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"Another process is writing to {directory}: wait until it ends, or choose another directory."
            ) from None
        except OSError:  # some network file systems
            pass
        token = holding.set(holding.get() | {place})
        try:
            yield
        finally:
            holding.reset(token)
    finally:
        os.close(handle)
