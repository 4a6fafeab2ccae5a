"""A job of the sandbox: one task in one child process, from its place in the queue to what it made."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from penviz.external.sandbox.answer import BadMessage, Budget, SandboxError, judge, messages
from penviz.external.sandbox.children import START_SECONDS, Child

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


class Host(Protocol):
    """What a job asks of the sandbox that it runs in."""

    def wake(self) -> None:
        """Let waiting jobs look whether they were cancelled."""

    def place(self, job: Job) -> contextlib.AbstractContextManager[None]:
        """Hold one of the places while the job runs."""

    def child(self, directory: Path) -> Child:
        """A new child process; ServerGone when it could not be asked for."""


class Job:
    """One task in one child process, watched by a thread of its own."""

    def __init__(self, sandbox: Host, directory: Path, budget: Budget, makes: Sequence[Path]) -> None:
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
            from penviz.external.sandbox.handover import hand_over  # NumPy, which the app's side does without

            hand_over(self.directory / place.name, place, replace)
        return result

    def _clock(self, seconds: float) -> threading.Timer:
        clock = threading.Timer(seconds, self._stop, ("time",))
        clock.daemon = True
        clock.start()
        return clock


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
