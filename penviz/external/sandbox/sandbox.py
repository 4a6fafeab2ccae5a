"""The sandbox: a child process with limits, in which files that penviz did not write are loaded and run.

This is the app's side, standard library only; `penviz.external.sandbox.server` is the other side. On Linux
one process imports torch once and forks a child a job; elsewhere each job is a fresh process. A child speaks
to the app through one pipe, in JSON lines of bounded size, and nothing that it writes is trusted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penviz.external.sandbox.answer import BadMessage, Budget, SandboxError, judge, messages
from penviz.external.sandbox.children import START_SECONDS, Child, ForkServer, FreshChild, ask_limits

REQUEST_FILE = "request.json"
"""In a job's directory: what the job is to do, its budget, and what it may read."""

PATHS = ("path", "files", "dataset", "data_dir")
"""Arguments of tasks that name what a job may read: a path, or paths by split."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """What a job used: peak resident memory (torch's own included), processor time and time on the clock.

    Memory and processor time are 0 where each job is a fresh process: there they are not known.
    """

    max_rss_bytes: int
    cpu_seconds: float
    wall_seconds: float


class ServerGone(Exception):
    """The server died before a job began."""


class Job:
    """One task in one child process, watched by a thread of its own."""

    def __init__(self, sandbox: Sandbox, directory: Path, budget: Budget, makes: Sequence[Path]) -> None:
        self.directory = directory
        self.budget = budget
        self._makes = {place: place.exists() for place in makes}
        self.progress: dict[str, Any] = {}
        self.usage: Usage | None = None
        self._sandbox = sandbox
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._stopped = ""
        self._finished = threading.Event()
        self._result: dict[str, Any] = {}
        self._error: SandboxError | None = None
        self._thread = threading.Thread(target=self._run, name="penviz-job", daemon=True)

    @property
    def done(self) -> bool:
        """True when the child is gone and its directory removed."""
        return self._finished.is_set()

    @property
    def waiting(self) -> bool:
        """True while other jobs have the sandbox's places."""
        return not self.done and self._child is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job is done, at most `timeout` seconds; whether it is."""
        return self._finished.wait(timeout)

    def result(self) -> dict[str, Any]:
        """What the task returned, waiting for it.

        Raises:
            SandboxError: the task refused, ran out of memory or time, died, or was cancelled.
        """
        self._finished.wait()
        if self._error is not None:
            raise self._error
        return self._result

    def cancel(self) -> None:
        """End the child; `result` then raises, and nothing is left of it. Harmless when the job is done."""
        self._stop("cancelled")

    def _stop(self, reason: str) -> None:
        with self._lock:
            self._stopped = self._stopped or reason
            if self._child is not None:
                self._child.kill()
        self._sandbox.wake()

    def _run(self) -> None:
        try:
            with self._sandbox.place(self):
                self._result = self._supervise()
        except SandboxError as error:
            self._error = error
        except ServerGone:
            self._error = SandboxError("died", "The process that loads files was ended; try again.")
        except Exception:
            logger.exception("A job failed on the app's side.")
            self._error = SandboxError("died", "The process that loads files could not be used; try again.")
        finally:
            remove_tree(self.directory)
            self._finished.set()

    def _supervise(self) -> dict[str, Any]:
        """Start the child, hear it out, end it, and say what came of it.

        When the server turns out to be dead before the job began, both are started again, once.
        """
        try:
            return self._attempt(self._sandbox.child(self.directory))
        except ServerGone:
            time.sleep(0.2)  # it may be dying still
            return self._attempt(self._sandbox.child(self.directory))

    def _attempt(self, child: Child) -> dict[str, Any]:
        with self._lock:
            self._child = child
            if self._stopped:
                child.kill()
        clock, started = self._clock(START_SECONDS), 0.0
        answer: dict[str, Any] = {}
        fault = ""
        try:
            with child.messages as stream:
                for message in messages(stream):
                    if isinstance(message.get("tell"), dict):
                        self.progress = message["tell"]
                    elif "begun" in message and not started:
                        clock.cancel()
                        clock, started = self._clock(self.budget.wall_seconds), time.monotonic()
                    else:
                        answer = message
                        break
                else:  # the pipe is closed, the child may still be there: it has until the clock strikes
                    child.wait()
        except BadMessage as error:
            fault = str(error)
        finally:
            child.kill()
            ending = child.wait()
            clock.cancel()
        if ending.status is None and not started and not self._stopped:
            raise ServerGone
        wall_seconds = time.monotonic() - started if started else 0.0
        self.usage = Usage(ending.max_rss_bytes, ending.cpu_seconds, wall_seconds)
        result = judge(answer, fault, ending.status, self._stopped, self.budget)
        for place, replace in self._makes.items():
            from penviz.external.sandbox.handover import (
                hand_over,  # with NumPy, which the other side does without
            )

            hand_over(self.directory / place.name, place, replace)
        return result

    def _clock(self, seconds: float) -> threading.Timer:
        clock = threading.Timer(seconds, self._stop, ("time",))
        clock.daemon = True
        clock.start()
        return clock


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


def remove_tree(directory: Path) -> None:
    """Remove a directory and all in it, also what was made unreadable; no error when it is gone."""

    def once_more(remove: Any, path: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            for place in (os.path.dirname(path), path):
                if not os.path.islink(place):
                    os.chmod(place, stat.S_IRWXU)
            if remove in (os.unlink, os.rmdir):
                remove(path)
            else:
                shutil.rmtree(path, ignore_errors=True)

    shutil.rmtree(directory, onerror=once_more)
