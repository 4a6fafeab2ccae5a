"""A sandbox whose tasks misbehave, a look for what they leave behind, and waiting for processes."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.job import Job
from penviz.external.sandbox.sandbox import Sandbox

SERVER = Path(__file__).with_name("bad_tasks.py")
SMALL = Budget(memory_bytes=256 << 20, cpu_seconds=20, wall_seconds=30, file_bytes=4 << 20)


@dataclass(frozen=True)
class BadSandbox:
    """A sandbox with tasks that misbehave.

    Attributes:
        sandbox: its client; marker: stands in the command line of its server and of all that it forks.
    """

    sandbox: Sandbox
    marker: str

    def start(self, task: str, directory: Path, budget: Budget = SMALL, **arguments: Any) -> Job:
        return self.sandbox.start(task, arguments, budget, directory=directory)

    def run(self, task: str, directory: Path, budget: Budget = SMALL, **arguments: Any) -> dict[str, Any]:
        job = self.start(task, directory, budget, **arguments)
        assert job.wait(120), "it should have ended long ago"
        return job.result()

    def refusal(self, task: str, directory: Path, budget: Budget = SMALL, **arguments: Any) -> SandboxError:
        """The error of a job that must not succeed: one sentence."""
        with pytest.raises(SandboxError) as caught:
            self.run(task, directory, budget, **arguments)
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "Traceback" not in sentence
        return caught.value

    def processes(self) -> list[int]:
        """The server and its children."""
        return with_command(self.marker)

    @property
    def server(self) -> int:
        assert self.sandbox._server is not None
        return self.sandbox._server.pid

    def assert_clean(self, directory: Path) -> None:
        """Nothing left but the server, and it still answers."""
        assert list(directory.iterdir()) == []
        assert self.processes() == [self.server]
        assert self.run("echo", directory, still="here")["arguments"] == {"still": "here"}


def with_command(marker: str) -> list[int]:
    """Processes that live and have a text in their command line."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                if marker.encode() in Path("/proc", entry, "cmdline").read_bytes():
                    found.append(int(entry))
            except OSError:
                continue
    return sorted(found)


def failure(job: Job) -> SandboxError | None:
    """Why a job failed; None where it did not."""
    try:
        job.result()
    except SandboxError as error:
        return error
    return None


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that must become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and bool(Path(f"/proc/{pid}/cmdline").read_bytes())


def make_sandbox(weight: str = "light", **options: Any) -> BadSandbox:
    """A new sandbox; "heavy" is with torch, imported before the fork."""
    marker = f"marker-{secrets.token_hex(8)}"
    return BadSandbox(Sandbox([sys.executable, str(SERVER), marker, weight], **options), marker)
