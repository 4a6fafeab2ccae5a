"""What `make bench` leaves running: nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

CHILD = (
    "import fcntl, os, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
    "file.write(str(os.getpid())); file.flush(); time.sleep(120)"
)
"""Holds the lock of a file for as long as it runs, and has its process number in it."""

SCRIPT = """
import subprocess, sys, time
from pathlib import Path
subprocess.Popen([sys.executable, "-c", {child!r}, {lock!r}], {where})
while not (Path({lock!r}).is_file() and Path({lock!r}).read_text()):
    time.sleep(0.01)
{rest}
"""

GATHER = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
sys.path.insert(0, {benchmarks!r})
from results import section
print(section(Path({script!r}), {limit}))
"""


def alive(lock: Path) -> bool:
    """Whether the process that locked a file runs; one that ended and waits for its parent does not."""
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_until(holds: object) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("rest", "limit", "ctrl_c"),
    [("time.sleep(120)", 100, True), ("time.sleep(120)", 3, False), ("print(42)", 100, False)],
)
def test_nothing_that_a_benchmark_started_runs_on(
    tmp_path: Path, rest: str, limit: float, ctrl_c: bool
) -> None:
    lock, script = tmp_path / "lock", tmp_path / "script.py"
    quiet = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"  # else the pipes stay open to its end
    script.write_text(SCRIPT.format(child=CHILD, lock=str(lock), rest=rest, where=quiet))
    code = GATHER.format(benchmarks=str(BENCHMARKS), script=str(script), limit=limit)
    gather = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert wait_until(lambda: lock.is_file() and lock.read_text())
        if ctrl_c:
            assert alive(lock)
            gather.send_signal(signal.SIGINT)
        printed, complaint = gather.communicate(timeout=30)
        assert ("KeyboardInterrupt" in complaint) == ctrl_c
        assert ("not done after 3 s" in printed) == (limit == 3)
        assert ("42" in printed.splitlines()) == rest.startswith("print")
        gone = wait_until(lambda: not alive(lock))
        if not gone:
            os.kill(int(lock.read_text()), signal.SIGKILL)
        assert gone
    finally:
        gather.kill()
        gather.wait()
