"""What a child is asked and says, and how it ends, made into a result or one clear sentence."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from penviz import InputError

REQUEST_FILE = "request.json"
"""In a job's directory: what the job is to do, its budget, and what it may read."""

LINE_BYTES = 8 << 20
"""The longest message that a child may send."""

TOTAL_BYTES = 64 << 20
"""All that a child may send; a child that sends more is ended."""

MOST_VALUES = 1_000_000
"""Of a message: an empty list takes three bytes to send and sixty to hold. 20,000 tensors take 240,000."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Budget:
    """What one job may use.

    Attributes:
        memory_bytes: private memory on top of what torch itself takes.
        cpu_seconds: processor time.
        wall_seconds: time on the clock, from the start of its process.
        file_bytes: the largest file that it may write.
    """

    memory_bytes: int = 2 << 30
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    file_bytes: int = 2 << 30


class SandboxError(InputError):
    """A job that gave no result; the message is one sentence for the user.

    Attributes:
        reason: "refused" (by the job itself), "memory", "time", "died" or "cancelled".
        advice: how to convert the file, when the job says so.
        detail: the end of a traceback, for a log and never for the page.
    """

    def __init__(self, reason: str, sentence: str, advice: str = "", detail: str = "") -> None:
        super().__init__(sentence)
        self.reason, self.advice, self.detail = reason, advice, detail


class BadMessage(Exception):
    """What a child wrote is not a message; the text continues "The process that read this ..."."""


def messages(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Messages of a child until it closes its end of the pipe; BadMessage for anything else."""
    total = 0
    while line := stream.readline(LINE_BYTES + 1):
        total += len(line)
        n_values = sum(line.count(mark) for mark in (b",", b"[", b"{"))
        if len(line) > LINE_BYTES or total > TOTAL_BYTES or n_values > MOST_VALUES:
            raise BadMessage("wrote more than it may")
        try:
            message = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise BadMessage("wrote something that is not a message")
        yield message


def judge(
    answer: dict[str, Any], fault: str, status: int | None, stopped: str, budget: Budget
) -> dict[str, Any]:
    """The result of a job, or why there is none.

    Args:
        answer: the child's last message, {} for none.
        fault: what was wrong with what it wrote, "" for nothing.
        status: how it ended, as of Popen.returncode; None when that is not known.
        stopped: "cancelled" or "time" when the app ended it.
        budget: what it could use.

    Raises:
        SandboxError: there is no result.
    """
    memory = f"This needs more than the {_size(budget.memory_bytes)} of memory that it may use."
    if stopped == "cancelled":
        raise SandboxError("cancelled", "This was cancelled.")
    if stopped == "time":
        raise SandboxError("time", f"This takes more than the {budget.wall_seconds:g} s that it may take.")
    if fault:
        raise SandboxError("died", f"The process that read this {fault}, so its answer is not used.")
    if isinstance(answer.get("result"), dict):
        return dict(answer["result"])
    if isinstance(answer.get("refused"), str):
        raise SandboxError("refused", _clean(answer["refused"]), _clean(str(answer.get("advice") or "")))
    if "memory" in answer:
        raise SandboxError("memory", memory)
    if "full" in answer:
        if answer["full"]:
            raise SandboxError("died", "This needs more room than is left on the disk.")
        limit = _size(budget.file_bytes)
        raise SandboxError("died", f"This writes a file larger than the {limit} that it may write.")
    if "failed" in answer:
        name = _clean(str(answer["failed"]))[:80]
        detail = str(answer.get("trace"))[-4000:]
        logger.warning("A task in the sandbox failed: %r", detail)
        raise SandboxError("died", f"This cannot be read: it ended with an unexpected {name}.", detail=detail)
    if answer:
        raise SandboxError("died", "The process that read this sent a message without a meaning.")
    raise _death(status, memory, budget)


def _death(status: int | None, memory: str, budget: Budget) -> SandboxError:
    """The sentence for a child that ended without an answer; `status` as of Popen.returncode."""
    if status is None:
        return SandboxError("died", "The process that loads files was ended; try again.")
    number = -status
    if number == 9:  # not by us: the system ran out of memory
        return SandboxError("memory", memory)
    if number == 24:  # SIGXCPU
        sentence = f"This takes more than the {budget.cpu_seconds} s of processor time that it may use."
        return SandboxError("time", sentence)
    if number == 14:  # SIGALRM, the child's own clock
        return SandboxError("time", f"This takes more than the {budget.wall_seconds:g} s that it may take.")
    if number > 0:
        name = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV", 15: "SIGTERM"}.get(number)
        return SandboxError("died", f"The process that read this crashed ({name or f'signal {number}'}).")
    return SandboxError("died", f"The process that read this ended without an answer (status {status}).")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / (1 << 30):.3g} GB" if n_bytes >= 1 << 30 else f"{n_bytes / (1 << 20):.3g} MB"


def _clean(text: str) -> str:
    """Text of a child without control characters, newlines kept, and not too long for a page."""
    return "".join(c for c in text[:20_000] if c.isprintable() or c == "\n")
