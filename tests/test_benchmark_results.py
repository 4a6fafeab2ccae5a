"""What `make bench` leaves running: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

SCRIPT = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], {where})
Path({pids!r}).write_text(str(child.pid))
{rest}
"""

GATHER = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
from results import section
print(section(Path({script!r}), {limit}))
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: object) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("rest", "limit", "ctrl_c"),
    [("time.sleep(120)", 100, True), ("time.sleep(120)", 3, False), ("print(42)", 100, False)],
)
def test_nothing_that_a_benchmark_started_runs_on(
    tmp_path: Path, rest: str, limit: float, ctrl_c: bool
) -> None:
    pids, script = tmp_path / "pids", tmp_path / "script.py"
    quiet = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"  # else the pipes stay open to its end
    script.write_text(SCRIPT.format(pids=str(pids), rest=rest, where=quiet))
    code = GATHER.format(benchmarks=str(BENCHMARKS), script=str(script), limit=limit)
    gather = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert wait_until(lambda: pids.is_file() and pids.read_text())
        child = int(pids.read_text())
        if ctrl_c:
            assert alive(child)
            gather.send_signal(signal.SIGINT)
        printed, complaint = gather.communicate(timeout=30)
        assert ("KeyboardInterrupt" in complaint) == ctrl_c
        assert ("not done after 3 s" in printed) == (limit == 3)
        assert ("42" in printed.splitlines()) == rest.startswith("print")
        gone = wait_until(lambda: not alive(child))
        if not gone:
            os.kill(child, signal.SIGKILL)
        assert gone
    finally:
        gather.kill()
        gather.wait()
