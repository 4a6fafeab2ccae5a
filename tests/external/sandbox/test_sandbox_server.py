"""The server of the sandbox: killed, closed, unable to start, or not there at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bad_sandbox import SERVER, make_sandbox, until, with_command

from penviz.external.sandbox import landlock
from penviz.external.sandbox.answer import Budget, SandboxError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")


def test_a_killed_server_takes_its_children_along_and_is_started_again(tmp_path: Path) -> None:
    bad = make_sandbox()
    try:
        job = bad.start("sleep", tmp_path)
        until(lambda: job.progress)
        os.kill(bad.server, signal.SIGKILL)
        with pytest.raises(SandboxError, match="was ended; try again") as caught:
            job.result()
        assert caught.value.reason == "died"
        until(lambda: bad.processes() == [])
        assert list(tmp_path.iterdir()) == []
        assert bad.run("echo", tmp_path, again=1)["arguments"] == {"again": 1}
        os.kill(bad.server, signal.SIGKILL)  # while it is idle: nobody notices
        assert bad.run("echo", tmp_path, again=2)["arguments"] == {"again": 2}
    finally:
        bad.sandbox.close()
    assert bad.processes() == []


def test_a_killed_app_leaves_no_process(tmp_path: Path) -> None:
    marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    code = f"""
import sys, time
from pathlib import Path
from penviz.external.sandbox.answer import Budget
from penviz.external.sandbox.sandbox import Sandbox
sandbox = Sandbox([sys.executable, {str(SERVER)!r}, sys.argv[1], "light"])
jobs = [sandbox.start(task, {{}}, directory=Path({str(tmp_path)!r})) for task in ("sleep_deaf", "fork_bomb")]
while not (jobs[0].progress and jobs[1].progress):
    time.sleep(0.01)
print("running", flush=True)
time.sleep(3600)
"""
    with subprocess.Popen([sys.executable, "-c", code, marker], stdout=subprocess.PIPE) as app:
        try:
            assert app.stdout is not None
            assert app.stdout.readline() == b"running\n"
            until(lambda: len(with_command(marker)) >= 4)  # the app, the server and two children
        finally:
            app.kill()
    until(lambda: with_command(marker) == [])


def test_closing_the_sandbox_ends_all(tmp_path: Path) -> None:
    bad = make_sandbox(jobs=1)
    running, waiting = bad.start("sleep_deaf", tmp_path), bad.start("sleep", tmp_path)
    until(lambda: running.progress)
    bad.sandbox.close()
    for job in (running, waiting):
        with pytest.raises(SandboxError, match="cancelled"):
            job.result()
    assert bad.processes() == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SandboxError, match="shutting down"):
        bad.start("echo", tmp_path)


def test_a_server_that_cannot_start_is_one_sentence(tmp_path: Path) -> None:
    from penviz.external.sandbox.sandbox import Sandbox

    sandbox = Sandbox([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(SandboxError, match="could not start; the app's log says why"):
        sandbox.start("echo", {}, directory=tmp_path).result()
    assert list(tmp_path.iterdir()) == []
    sandbox.close()


def test_without_a_fork_server_each_job_is_a_fresh_process(tmp_path: Path) -> None:
    bad = make_sandbox(fork=False)
    try:
        assert bad.run("echo", tmp_path, a=1)["arguments"] == {"a": 1}
        assert bad.sandbox.enforced["memory"]
        enforced = bad.sandbox.enforced
        assert enforced["network"] == enforced["system_calls"]  # no server to leave it
        assert bad.refusal("allocate_python", tmp_path, bytes=1 << 30).reason == "memory"
        assert bad.refusal("segfault", tmp_path).reason == "died"
        assert bad.refusal("sleep_deaf", tmp_path, Budget(wall_seconds=0.5)).reason == "time"
        assert bad.refusal("loop", tmp_path, Budget(cpu_seconds=1)).reason == "time"
        job = bad.start("sleep", tmp_path)
        until(lambda: job.progress)
        job.cancel()
        assert job.wait(1)
        assert bad.processes() == []
        assert list(tmp_path.iterdir()) == []
    finally:
        bad.sandbox.close()


HALF = """
import sys, tempfile
from pathlib import Path
import torch
from penviz.external.sandbox import confinement, server
from penviz.external.sandbox.answer import Budget
if sys.argv[1] == "served":
    server.penviz_tasks()
confinement.confine(Budget(2**32, 60, 60), Path(tempfile.mkdtemp()))
print(torch.ones(4000, dtype=torch.float16).float().sum().item())
"""


def test_a_child_reads_numbers_in_half_precision() -> None:
    command = [sys.executable, "-c", HALF]
    served, bare = (
        subprocess.run([*command, how], capture_output=True, text=True, timeout=300, check=False)
        for how in ("served", "bare")
    )
    assert served.stdout == "4000.0\n", served.stderr
    if landlock.abi() > 0:
        assert "cpuinfo" in bare.stderr, "or this test shows nothing"
