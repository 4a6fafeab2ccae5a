"""The sandbox: a child process with limits, in which files that penviz did not write are loaded and run.

This is the app's side, standard library only; `penviz.external.sandbox.server` is the other side. On Linux
one process imports torch once and forks a child a job; elsewhere each job is a fresh process. A child speaks
to the app through one pipe, in JSON lines of bounded size, and nothing that it writes is trusted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penviz.external.sandbox.answer import REQUEST_FILE, Budget, SandboxError
from penviz.external.sandbox.children import Child, ForkServer, FreshChild, ask_limits
from penviz.external.sandbox.job import Job, ServerGone, remove_tree

PATHS = ("path", "files", "dataset", "data_dir")
"""Arguments of tasks that name what a job may read: a path, or paths by split."""

logger = logging.getLogger(__name__)


class Sandbox:
    """Runs tasks in child processes with limits, at most `jobs` at a time; others wait in order.

    Safe to use from several threads at once. One sandbox serves a whole app process.

    Attributes:
        jobs: how many children run at a time.
        enforced: limit -> whether this system holds a child to it, found by trying; empty before the start.
    """

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-m", "penviz.external.sandbox.server"),
        *,
        jobs: int = 2,
        fork: bool | None = None,
    ) -> None:
        """`command` starts the other side; `fork` is for tests (default: a fork server on Linux only)."""
        self.jobs = jobs
        self.enforced: dict[str, bool] = {}
        self._command = tuple(command)
        self._forks = sys.platform == "linux" if fork is None else fork
        self._server: ForkServer | None = None
        self._starting = threading.Lock()
        self._turn = threading.Condition()
        self._queue: list[Job] = []
        self._running: set[Job] = set()
        self._closed = False

    def start(
        self,
        task: str,
        arguments: dict[str, Any],
        budget: Budget | None = None,
        makes: Sequence[Path] = (),
        *,
        directory: Path,
    ) -> Job:
        """Start a task, or put it in the queue, and return at once.

        Args:
            task: a name in `penviz.external.importing.tasks.TASKS`.
            arguments: what the task takes; JSON only. It may read what stands under PATHS.
            budget: what it may use.
            makes: directories that it makes, each under its name in the job's own; moved here at the end,
                where one that is here at the start gives way.
            directory: where the job's own temporary directory is made; it is removed with the job.
        """
        budget = budget or Budget()
        with self._turn:
            if self._closed:
                raise SandboxError("cancelled", "The app is shutting down.")
        own = Path(tempfile.mkdtemp(prefix="job-", dir=directory))
        try:
            request = {"task": task, "arguments": arguments, "budget": asdict(budget)}
            request["reads"] = readable(arguments)
            (own / REQUEST_FILE).write_text(json.dumps(request), encoding="utf-8")
            job = Job(self, own, budget, makes)
            with self._turn:
                self._queue.append(job)
            job._thread.start()
        except BaseException:
            remove_tree(own)
            raise
        return job

    def warm_up(self) -> None:
        """Start the server in the background, so that the first job need not wait for torch."""
        threading.Thread(target=self._warm_up, name="penviz-sandbox", daemon=True).start()

    def _warm_up(self) -> None:
        with contextlib.suppress(SandboxError):
            self._ready()

    def close(self) -> None:
        """Cancel all jobs and end the server. The sandbox cannot be used again."""
        with self._turn:
            self._closed = True
            jobs = [*self._queue, *self._running]
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.wait(5)
        with self._starting:
            if self._server is not None:
                self._server.close()
                self._server = None

    @contextlib.contextmanager
    def place(self, job: Job) -> Iterator[None]:
        """Hold one of the sandbox's places while a job runs; waits for it in order of arrival."""
        with self._turn:
            self._turn.wait_for(
                lambda: job._stopped or (len(self._running) < self.jobs and self._queue[0] is job)
            )
            self._queue.remove(job)
            self._turn.notify_all()
            if job._stopped:
                raise SandboxError("cancelled", "This was cancelled.")
            self._running.add(job)
        try:
            yield
        finally:
            with self._turn:
                self._running.discard(job)
                self._turn.notify_all()

    def wake(self) -> None:
        """Let waiting jobs look whether they were cancelled."""
        with self._turn:
            self._turn.notify_all()

    def child(self, directory: Path) -> Child:
        """A new child process for the request in a directory; ServerGone when it could not be asked for."""
        server = self._ready()
        if server is None:
            return FreshChild(self._command, directory)
        try:
            return server.child(directory)
        except ConnectionError:
            server.close()
            raise ServerGone from None

    def _ready(self) -> ForkServer | None:
        """The running server, started if there is none; None where each job is a fresh process."""
        with self._starting:
            if self._closed:
                raise SandboxError("cancelled", "The app is shutting down.")
            try:
                if self._forks and (self._server is None or not self._server.alive):
                    if self._server is not None:
                        self._server.close()
                    self._server = ForkServer(self._command)
                    self.enforced = self._server.enforced
                elif not self.enforced:
                    self.enforced = ask_limits(self._command)
            except OSError as error:
                logger.warning("The sandbox could not start: %s", error)
                sentence = "The process that loads files could not start; the app's log says why."
                raise SandboxError("died", sentence) from None
            return self._server


def readable(arguments: Mapping[str, Any]) -> list[str]:
    """What a job may read by its arguments: real paths, because links lead to what is not theirs to read."""
    found: list[str] = []
    for name in PATHS:
        value = arguments.get(name) or ""
        for text in value.values() if isinstance(value, Mapping) else (value,):
            path = Path(text)
            if path.is_absolute() and path.exists():
                # An index of shards names files beside it; a data directory may be made of links.
                found.append(str(path.parent if path.name.endswith(".index.json") else path))
                if path.is_dir():
                    found += [str(child.resolve()) for child in path.iterdir() if child.is_symlink()]
    return found
