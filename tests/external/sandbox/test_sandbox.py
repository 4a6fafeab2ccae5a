"""Every limit of the sandbox bites, every bad end is one sentence, and nothing is left of any."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_sandbox import SERVER, SMALL, BadSandbox, alive, make_sandbox, until

from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.confinement import LIMITS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")

GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def bad_sandbox() -> Iterator[BadSandbox]:
    """Shared by the tests that leave the server alive, as a real one must be."""
    bad = make_sandbox("heavy")
    yield bad
    bad.sandbox.close()
    assert bad.processes() == []


def test_a_task_runs_in_a_directory_of_its_own(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    answer = bad_sandbox.run("where", tmp_path)
    own = Path(answer["cwd"])
    assert own.parent == tmp_path
    assert Path(answer["temporary"]).parent == own
    assert answer["home"] == str(own)
    assert answer["threads"] == "1"
    assert answer["group"]
    assert answer["nice"] == os.getpriority(os.PRIO_PROCESS, 0) + 5
    assert answer["ppid"] == bad_sandbox.server
    # Standard streams and the pipe to the app; the other two are the listing and the file just written.
    assert len(answer["descriptors"]) == 6
    bad_sandbox.assert_clean(tmp_path)


def test_the_server_sees_no_gpu_and_has_one_thread(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    assert bad_sandbox.run("state_of_torch", tmp_path) == {"threads": 1, "cuda": False}
    assert len(os.listdir(f"/proc/{bad_sandbox.server}/task")) == 1
    assert b"CUDA_VISIBLE_DEVICES=\0" in Path(f"/proc/{bad_sandbox.server}/environ").read_bytes()


def test_the_server_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENVIZ_TEST_SECRET", "token")
    bad = make_sandbox()
    try:
        assert bad.run("where", tmp_path)["secret"] is None
    finally:
        bad.sandbox.close()


def test_what_is_enforced_is_found_by_trying(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    bad_sandbox.run("echo", tmp_path)
    enforced = bad_sandbox.sandbox.enforced
    assert enforced.keys() == set(LIMITS)
    for name in ("memory", "cpu_time", "wall_time", "file_size", "open_files", "dies_with_app"):
        assert enforced[name], name


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        ("allocate_python", {"bytes": 2 * GIGABYTE}),
        ("allocate_torch", {"bytes": 2 * GIGABYTE}),
        ("allocate_torch", {"bytes": 1 << 46}),
        ("allocate_slowly", {}),
        ("allocate_as_a_refusal", {"bytes": 2 * GIGABYTE}),
        ("map_shared", {}),
        ("kill_itself", {"signal": signal.SIGKILL}),
    ],
)
def test_memory(bad_sandbox: BadSandbox, tmp_path: Path, task: str, arguments: dict[str, int]) -> None:
    base = bad_sandbox.start("echo", tmp_path)
    base.result()
    job = bad_sandbox.start(task, tmp_path, **arguments)
    with pytest.raises(SandboxError, match="needs more than the 256 MB of memory") as caught:
        job.result()
    assert caught.value.reason == "memory"
    assert job.usage is not None
    assert base.usage is not None
    assert job.usage.max_rss_bytes < base.usage.max_rss_bytes + SMALL.memory_bytes + (32 << 20)
    bad_sandbox.assert_clean(tmp_path)


def test_memory_within_the_budget_is_given(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    n = 200 << 20
    assert bad_sandbox.run("allocate_torch", tmp_path, bytes=n) == {"n": n // 4}
    assert bad_sandbox.refusal("allocate_torch", tmp_path, bytes=300 << 20).reason == "memory"
    more = Budget(memory_bytes=400 << 20)
    assert bad_sandbox.run("allocate_torch", tmp_path, more, bytes=300 << 20) == {"n": (300 << 20) // 4}


@pytest.mark.parametrize("task", ["sleep", "sleep_deaf", "sleep_with_the_pipe_closed", "loop", "fork_bomb"])
def test_time_on_the_clock(bad_sandbox: BadSandbox, tmp_path: Path, task: str) -> None:
    bad_sandbox.run("echo", tmp_path)  # the server runs
    started = time.monotonic()
    error = bad_sandbox.refusal(task, tmp_path, Budget(wall_seconds=0.7))
    assert error.reason == "time"
    assert str(error) == "This takes more than the 0.7 s that it may take."
    assert time.monotonic() - started < 8
    bad_sandbox.assert_clean(tmp_path)


def test_processor_time(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    job = bad_sandbox.start("loop", tmp_path, Budget(cpu_seconds=1, wall_seconds=60))
    with pytest.raises(SandboxError, match="more than the 1 s of processor time") as caught:
        job.result()
    assert caught.value.reason == "time"
    assert job.usage is not None
    assert 0.9 < job.usage.cpu_seconds < 2.5
    bad_sandbox.assert_clean(tmp_path)


def test_the_child_has_a_clock_of_its_own(
    bad_sandbox: BadSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "penviz.external.sandbox.job.Job._stop", lambda *_: None
    )  # as if the app were stopped
    bad_sandbox.run("echo", tmp_path)
    started = time.monotonic()
    assert bad_sandbox.refusal("sleep", tmp_path, Budget(wall_seconds=0.2)).reason == "time"
    assert 4 < time.monotonic() - started < 8  # not after its task, which would go on2


@pytest.mark.parametrize(
    ("task", "arguments", "words"),
    [
        ("write_file", {"bytes": 8 << 20}, "a file larger than the 4 MB"),
        ("open_files", {}, "unexpected OSError"),
        ("segfault", {}, r"crashed \(SIGSEGV\)"),
        ("bus_error", {}, r"crashed \(SIGBUS\)"),
        ("kill_itself", {"signal": signal.SIGABRT}, r"crashed \(SIGABRT\)"),
        ("kill_itself", {"signal": signal.SIGRTMIN}, r"crashed \(signal 34\)"),
        ("leave", {"status": 0}, "without an answer"),
        ("leave", {"status": 3}, r"without an answer \(status 3\)"),
        ("say", {"text": "garbage\n"}, "not a message"),
        ("say", {"text": '{"result": {"a": 1}'}, "not a message"),
        ("say", {"text": "\0" * 50_000 + "\n"}, "not a message"),
        ("say", {"text": "[1, 2]\n"}, "not a message"),
        ("say", {"text": '{"other": 1}\n'}, "without a meaning"),
        ("say", {"text": '{"result": 3}\n'}, "without a meaning"),
        ("say", {"text": "1" * 5000 + "\n"}, "not a message"),
        ("say_deep", {}, "not a message"),
        ("flood_a_line", {}, "wrote more than it may"),
        ("flood_lines", {}, "wrote more than it may"),
        ("fail", {}, "unexpected KeyError"),
        ("answer_no_json", {}, "unexpected TypeError"),
        ("no_such_task", {}, "unexpected KeyError"),
    ],
)
def test_a_bad_end(
    bad_sandbox: BadSandbox, tmp_path: Path, task: str, arguments: dict[str, object], words: str
) -> None:
    error = bad_sandbox.refusal(task, tmp_path, **arguments)
    assert error.reason == "died"
    assert re.search(words, str(error))
    assert "secret path" not in str(error)
    bad_sandbox.assert_clean(tmp_path)


def test_a_refusal_keeps_its_sentence_and_its_advice(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    error = bad_sandbox.refusal("refuse", tmp_path)
    assert (error.reason, str(error), error.advice) == (
        "refused",
        r"This is\x1b[31m refused.",
        "Save it again.",
    )


def test_files_of_a_job_go_with_it(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    bad_sandbox.run("litter", tmp_path)
    bad_sandbox.assert_clean(tmp_path)


def test_a_process_that_a_job_leaves_is_ended(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    try:
        pid = bad_sandbox.run("leave_a_daemon", tmp_path)["pid"]
    except SandboxError:
        assert bad_sandbox.sandbox.enforced["processes"]
    else:
        assert not alive(pid)
    bad_sandbox.assert_clean(tmp_path)


def test_there_is_no_network(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # there is one here
        bad_sandbox.run("echo", tmp_path)
        if bad_sandbox.sandbox.enforced["network"]:
            assert re.search(
                "unexpected (OS|Permission)Error", str(bad_sandbox.refusal("connect", tmp_path, port=port))
            )
        else:
            assert bad_sandbox.run("connect", tmp_path, port=port) == {"connected": True}


def test_progress_arrives_while_the_job_runs(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    job = bad_sandbox.start("count", tmp_path, n=20)
    seen = []
    while not job.wait(0.01):
        seen.append(job.progress.get("done", 0))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert job.result() == {"done": 20}


@pytest.mark.parametrize("task", ["sleep", "sleep_deaf", "loop", "fork_bomb", "flood_lines"])
def test_cancelling_ends_a_job_soon(bad_sandbox: BadSandbox, tmp_path: Path, task: str) -> None:
    job = bad_sandbox.start(task, tmp_path)
    until(lambda: len(bad_sandbox.processes()) > 1)
    job.cancel()
    started = time.monotonic()
    with pytest.raises(SandboxError, match="was cancelled") as caught:
        job.result()
    assert time.monotonic() - started < 8  # not after its task, which would go on
    assert caught.value.reason == "cancelled"
    job.cancel()  # once more does no harm
    bad_sandbox.assert_clean(tmp_path)


def test_two_jobs_run_at_once_and_a_third_waits(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    jobs = [bad_sandbox.start("count", tmp_path, n=1000) for _ in range(3)]
    until(lambda: jobs[0].progress and jobs[1].progress)
    assert jobs[0].progress["pid"] != jobs[1].progress["pid"]
    assert jobs[2].waiting
    assert len(bad_sandbox.processes()) == 3
    jobs[0].cancel()
    until(lambda: jobs[2].progress)
    waiting = bad_sandbox.start("echo", tmp_path)
    time.sleep(0.1)
    assert waiting.waiting
    waiting.cancel()  # before it has a process
    with pytest.raises(SandboxError, match="cancelled"):
        waiting.result()
    for job in jobs:
        job.cancel()
    assert all(job.wait(2) for job in jobs)
    bad_sandbox.assert_clean(tmp_path)


def test_many_threads_get_their_own_answers(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    answers: dict[int, object] = {}

    def visitor(i: int) -> None:
        directory = tmp_path / str(i)
        directory.mkdir()
        for turn in range(3):
            answers[10 * i + turn] = bad_sandbox.run("echo", directory, me=i, turn=turn)["arguments"]
        directory.rmdir()

    threads = [threading.Thread(target=visitor, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {10 * i + t: {"me": i, "turn": t} for i in range(6) for t in range(3)}
    bad_sandbox.assert_clean(tmp_path)


def test_the_app_never_imports_torch_nor_grows(bad_sandbox: BadSandbox, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from penviz.external.sandbox.sandbox import Sandbox
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
sandbox = Sandbox([sys.executable, {str(SERVER)!r}, "marker-app", "light"])
start = lambda: sandbox.start("echo", {{}}, directory=Path({str(tmp_path)!r}))
start().result()
before = resident()
for _ in range(20):
    start().result()
print(resident() - before, "torch" in sys.modules)
sandbox.close()
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert child.returncode == 0, child.stderr
    growth, torch = child.stdout.split()
    assert torch == "False"
    assert int(growth) < 4 << 20
