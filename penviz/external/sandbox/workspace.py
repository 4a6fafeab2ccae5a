"""Where the files of visitors lie: a private directory a session, removed with it or with the app."""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from penviz import InputError
from penviz.external.sandbox.answer import Budget
from penviz.external.sandbox.job import Job, remove_tree
from penviz.external.sandbox.sandbox import Sandbox

PREFIX = "penviz-visitors-"
OWNER_FILE = "owner"
"""In a root: held under a lock by the app process for as long as it lives, so a free lock says it is dead."""

FRESH_SECONDS = 60
"""A root without an owner file may just be being made; it is stale when older than this."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A file of a visitor: where it lies (a random name), what the visitor calls it, and its digest."""

    path: Path
    name: str
    n_bytes: int
    sha256: str


class Workspaces:
    """The root of an app process, below which each session has its directory.

    At the start the roots of dead processes are removed; at the end of this one its own.
    """

    def __init__(self, parent: Path | None = None) -> None:
        """`parent` is the directory for temporary files unless given."""
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        sweep(parent)
        while True:
            self.root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._owner: IO[Any] | None = open(self.root / OWNER_FILE, "w")  # noqa: SIM115  held open for life
            if _lock(self._owner) and (self.root / OWNER_FILE).exists():
                break
            self._owner.close()  # the sweep of another process took it for stale before it was locked
        self._open: set[Workspace] = set()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def open(self, max_bytes: int = 4 << 30) -> Workspace:
        """A new private directory for a session, in which uploads may take `max_bytes` together."""
        with self._lock:
            if self._owner is None:
                raise InputError("The app is shutting down.")
            directory = Path(tempfile.mkdtemp(prefix="session-", dir=self.root))
            workspace = Workspace(directory, max_bytes, self._open.discard)
            self._open.add(workspace)
            return workspace

    def close(self) -> None:
        """Close all sessions and remove the root. Harmless when done before."""
        with self._lock:
            owner, self._owner = self._owner, None
            workspaces = list(self._open)
        if owner is None:
            return
        for workspace in workspaces:
            workspace.close()
        if sys.platform == "win32":
            owner.close()  # an open file cannot be removed there
        remove_tree(self.root)
        owner.close()
        atexit.unregister(self.close)


class Workspace:
    """The private directory (0700) of one session: its uploads, and the jobs that work on them.

    Safe to use from several threads. Names that visitors give never become paths.
    """

    def __init__(
        self, directory: Path, max_bytes: int, closed: Callable[[Workspace], None] = lambda _: None
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        self._is_open = True
        self._closed = closed

    def keep(self, name: str, content: BinaryIO, max_bytes: int) -> Upload:
        """Stream an upload to a file with a random name (0600), digesting while writing.

        Args:
            name: what the visitor calls the file; shown, never used as a path.
            content: read to its end in pieces.
            max_bytes: the largest file that is kept.

        Raises:
            InputError: too large, no room left on the disk or in the session, or the session has ended;
                nothing is left of the file.
        """
        path = self.directory / secrets.token_hex(16)
        digest, n_bytes = hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while chunk := content.read(CHUNK_BYTES):
                    if n_bytes + len(chunk) > max_bytes:
                        limit = f"{max_bytes / 2**20:g} MiB"
                        raise InputError(f"The file is larger than the {limit} that are accepted.")
                    self._take(len(chunk))
                    n_bytes += len(chunk)
                    file.write(chunk)
                    digest.update(chunk)
            if not self._is_open:  # closed meanwhile: the file may have been made after its removal
                raise InputError("The session has ended: open the page again.")
        except BaseException as error:
            path.unlink(missing_ok=True)
            self._take(-n_bytes, always=True)
            if isinstance(error, OSError):
                raise InputError(_sentence(error)) from None
            raise
        return Upload(path, name, n_bytes, digest.hexdigest())

    def forget(self, upload: Upload) -> None:
        """Remove an upload. Harmless when it is gone."""
        with contextlib.suppress(FileNotFoundError):
            upload.path.unlink()
            self._take(-upload.n_bytes, always=True)

    def start(
        self,
        sandbox: Sandbox,
        task: str,
        arguments: dict[str, Any],
        budget: Budget | None = None,
        makes: Sequence[Path] = (),
    ) -> Job:
        """Start a job in the sandbox that ends with this session (`Sandbox.start`)."""
        with self._lock:
            if not self._is_open:
                raise InputError("The session has ended: open the page again.")
            self._jobs = [job for job in self._jobs if not job.done]
            job = sandbox.start(task, arguments, budget, makes, directory=self.directory)
            self._jobs.append(job)
            return job

    def close(self) -> None:
        """End the session's jobs and remove the directory with all in it. Harmless when done before."""
        with self._lock:
            self._is_open = False
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.wait(5)
        remove_tree(self.directory)
        self._closed(self)

    def _take(self, n_bytes: int, always: bool = False) -> None:
        with self._lock:
            if not always and self._n_bytes + n_bytes > self._max_bytes:
                limit = f"{self._max_bytes / 2**20:g} MiB"
                raise InputError(f"The files of this session take more than {limit} together: remove some.")
            self._n_bytes += n_bytes


def sweep(parent: Path) -> list[Path]:
    """Remove the roots of app processes that are dead, and return them; only one's own are touched."""
    removed = []
    for root in parent.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            if root.is_symlink() or not root.is_dir() or not _is_ours(root):
                continue
            owner = root / OWNER_FILE
            if owner.exists():
                with open(owner, "r+") as file:
                    stale = _lock(file)
                    if stale and sys.platform != "win32":
                        remove_tree(root)  # while the lock is held, so that no two sweep the same
                if stale and sys.platform == "win32":
                    remove_tree(root)
            else:
                stale = time.time() - root.stat().st_mtime > FRESH_SECONDS
                if stale:
                    remove_tree(root)
            if stale:
                removed.append(root)
    return removed


def _is_ours(path: Path) -> bool:
    return sys.platform == "win32" or path.lstat().st_uid == os.getuid()


def _lock(file: IO[Any]) -> bool:
    """Lock a file for this process until it is closed or the process dies; False when another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "There is no room left on the disk of this app: remove files or try again later."
    if error.errno == errno.ENOENT:
        return "The session has ended: open the page again."
    return "The file could not be written on this app's disk: try again."
