"""A planted pickle that really runs in the child does no harm; without the limit that holds it, it does."""

from __future__ import annotations

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from bad_sandbox import SERVER, BadSandbox, failure, make_sandbox, with_command

from penviz.external.sandbox import landlock, seccomp
from penviz.external.sandbox.answer import Budget

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux"),
    pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock"),
    pytest.mark.skipif(
        os.uname().machine not in seccomp._AUDIT_ARCH, reason="the filter knows x86-64 and ARM"
    ),
]

BUDGET = Budget(memory_bytes=128 << 20, cpu_seconds=20, wall_seconds=30, file_bytes=1 << 20)
SECRET = "the canary sings"


class Planted:
    """A pickle of it runs Python when it is loaded; what the code calls `said` is what it loads as."""

    def __init__(self, code: str, given: object) -> None:
        self.space = {"given": given}
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("(exec(code, space), space['said'])[1]", {"code": self.code, "space": self.space})


@dataclass(frozen=True)
class Victim:
    """What an attack is after: a canary file, servers that listen, a process of the same user."""

    canary: Path
    tcp: int
    udp: int
    path: str
    pid: int


def plant(directory: Path, code: str, given: object = None) -> str:
    path = directory / "theirs.pkl"
    path.write_bytes(pickle.dumps(Planted(code, given)))
    return str(path)


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Callable[..., BadSandbox]]:
    """Sandboxes without some limits, each started once."""
    started: dict[str, BadSandbox] = {}

    def of(*left_out: str) -> BadSandbox:
        key = ",".join(("light", *sorted(left_out)))
        if key not in started:
            started[key] = make_sandbox(key)
        return started[key]

    yield of
    for bad in started.values():
        bad.sandbox.close()
        assert bad.processes() == []


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    canary = tmp_path / "elsewhere" / "canary"
    canary.parent.mkdir()
    canary.write_text(SECRET)
    canary.chmod(0o600)
    (tmp_path / "session").mkdir()
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        ports = tcp.getsockname()[1], udp.getsockname()[1]
        yield Victim(canary, *ports, str(tmp_path / "socket"), process.pid)
    process.kill()
    process.wait()


READ, OPEN_TO_EMPTY = "open(given).read()", "os.open(given, os.O_RDONLY | os.O_TRUNC)"
ATTACKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # name: (what the code says, what it is given of the victim, the limits that hold it, each of them alone)
    "read the canary": (READ, "canary", ("landlock",)),
    "list its directory": ("os.listdir(os.path.dirname(given))", "canary", ("landlock",)),
    "read it through a link": ("[os.link(given, 'here'), open('here').read()]", "canary", ("landlock",)),
    "read it through proc": ("open('/proc/self/root' + given).read()", "canary", ("landlock",)),
    "write it": ("open(given, 'r+').write('dead')", "canary", ("landlock",)),
    "remove it": ("os.unlink(given)", "canary", ("landlock",)),
    "move it": ("os.rename(given, given + '2')", "canary", ("landlock",)),
    "write beside it": ("open(given + '2', 'w').write('dead')", "canary", ("landlock",)),
    "cut it": ("os.truncate(given, 0)", "canary", ("landlock", "seccomp")),
    "empty it by reading": (OPEN_TO_EMPTY, "canary", ("landlock", "seccomp")),
    "open it to all": ("os.chmod(given, 0o666)", "canary", ("seccomp",)),
    "change its time": ("os.utime(given, (0, 0))", "canary", ("seccomp",)),
    "connect": ("socket.create_connection(('127.0.0.1', given)) and 1", "tcp", ("network", "seccomp")),
    "send": (
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', given))",
        "udp",
        ("network", "seccomp"),
    ),
    "connect by path": ("socket.socket(socket.AF_UNIX).connect(given)", "path", ("seccomp",)),
    "end another process": ("os.kill(given, 9)", "pid", ("landlock", "seccomp")),
    "fork": ("os.fork() or os._exit(0)", "", ("seccomp",) if os.getuid() == 0 else ("processes", "seccomp")),
    "keep memory unseen": ("os.memfd_create('x') and 1", "", ("seccomp",)),
    "raise its limits": ("resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "", ("seccomp",)),
}
IMPORTS = "import os, resource, socket\n"
HELD = [(name, limit) for name, (_, _, limits) in ATTACKS.items() for limit in limits]


def attack(bad: BadSandbox, name: str, victim: Victim, tmp_path: Path) -> bool:
    """Run it in the child; whether it succeeded: it was not stopped, or the victim is not as it was."""
    said, given, _ = ATTACKS[name]
    before = victim.canary.stat()
    argument = getattr(victim, given, None)
    code = f"{IMPORTS}said = {said}"
    path = plant(tmp_path, code, str(argument) if isinstance(argument, Path) else argument)
    job = bad.start("unpickle", tmp_path / "session", BUDGET, path=path)
    error = failure(job)
    # Stopped by a refusal of the system, and not by another ending.
    stopped = error is not None
    assert error is None or re.search(r"Error: (\[Errno|not allowed)", error.detail), error.detail
    assert list((tmp_path / "session").iterdir()) == []
    whole = victim.canary.exists() and victim.canary.read_text() == SECRET
    whole = whole and [p.name for p in victim.canary.parent.iterdir()] == ["canary"]
    after = victim.canary.stat() if whole else None
    whole = whole and (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    assert whole or not stopped
    return not stopped or not whole


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_held(
    name: str, sandboxes: Callable[..., BadSandbox], victim: Victim, tmp_path: Path
) -> None:
    assert not attack(sandboxes(), name, victim, tmp_path)


@pytest.mark.parametrize(("name", "limit"), HELD)
def test_each_limit_holds_alone_and_nothing_else_does(
    name: str, limit: str, sandboxes: Callable[..., BadSandbox], victim: Victim, tmp_path: Path
) -> None:
    """With all limits on the attack but one it is held; take that one too, and the test above would fail."""
    others = set(ATTACKS[name][2]) | ({"landlock"} if name == "connect" else set())
    if limit != "landlock" or landlock.abi() >= SINCE.get(name, 1):
        assert not attack(sandboxes(*others - {limit}), name, victim, tmp_path)
    assert attack(sandboxes(*others), name, victim, tmp_path)


SINCE = {"cut it": 3, "empty it by reading": 3, "end another process": 6}
"""The version of Landlock that is the first to hold it; before it seccomp alone does."""


def test_the_oldest_landlock_hides_the_disk_too(
    sandboxes: Callable[..., BadSandbox], victim: Victim, tmp_path: Path
) -> None:
    """The rules of ABI 1, as on Linux 5.13."""
    for name, (_, _, limits) in ATTACKS.items():
        if "landlock" in limits:
            assert not attack(sandboxes("new_landlock"), name, victim, tmp_path), name
    assert sandboxes("new_landlock").sandbox.enforced["reading"]


@pytest.mark.parametrize(
    ("left_out", "names"),
    [
        (("landlock",), {"reading", "writing"}),
        (("seccomp",), {"system_calls"}),
        (("memory",), {"memory"}),
        (("cpu_time",), {"cpu_time"}),
        (("file_size",), {"file_size"}),
        (("open_files",), {"open_files"}),
        (("wall_time",), {"wall_time"}),
        (("death",), {"dies_with_app"}),
        (("network", "seccomp", "landlock"), {"network", "system_calls", "reading", "writing"}),
    ],
)
def test_the_probe_tells_the_truth(
    left_out: tuple[str, ...], names: set[str], sandboxes: Callable[..., BadSandbox], tmp_path: Path
) -> None:
    bad = sandboxes(*left_out)
    bad.run("echo", tmp_path)
    missing = {name for name, held in bad.sandbox.enforced.items() if not held}
    assert names <= missing
    assert missing <= names | ({"processes"} if "seccomp" in left_out and os.getuid() == 0 else set())


@pytest.mark.parametrize(
    ("code", "limit", "words"),
    [
        ("said = len(bytearray(512 << 20))", "memory", "128 MB of memory"),
        ("while True: pass", "cpu_time", "1 s of processor time"),
        ("said = open('big', 'wb').write(bytes(4 << 20))", "file_size", "larger than the 1 MB"),
        ("said = len([os.dup(0) for _ in range(300)])", "open_files", "unexpected OSError"),
    ],
)
def test_a_resource_is_bounded(
    code: str, limit: str, words: str, sandboxes: Callable[..., BadSandbox], tmp_path: Path
) -> None:
    budget = Budget(memory_bytes=128 << 20, cpu_seconds=1, wall_seconds=60, file_bytes=1 << 20)
    path = plant(tmp_path, f"import os\n{code}")
    (session := tmp_path / "session").mkdir()
    assert words in str(sandboxes().refusal("unpickle", session, budget, path=path))
    if limit == "cpu_time":  # the clock ends it then
        later = sandboxes(limit).refusal("unpickle", session, replace(budget, wall_seconds=8), path=path)
        assert "more than the 8 s" in str(later)
    else:
        assert sandboxes(limit).run("unpickle", session, budget, path=path)["loaded"] > 100


OUTLIVE = """
import ctypes, os, signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_REAL, 0)
os.setsid() if os.getpgrp() != os.getpid() else os.setpgid(0, 0)
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
for number in range(3, 99):
    try:
        os.write(number, b'{"tell": {"free": 1}}\\n')
    except OSError:
        pass
time.sleep(600)
"""
APP = """
import sys, time
from pathlib import Path
from penviz.external.sandbox.sandbox import Sandbox
sandbox = Sandbox([sys.executable, sys.argv[1], sys.argv[2], sys.argv[3]])
job = sandbox.start("unpickle", {"path": sys.argv[4]}, directory=Path(sys.argv[5]))
while "free" not in job.progress:
    assert not job.done, job.result()
    time.sleep(0.01)
print(sandbox._server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("left_out", "dies"), [("", True), ("death", False), ("seccomp", False)])
def test_it_does_not_outlive_the_app_and_its_server(left_out: str, dies: bool, tmp_path: Path) -> None:
    """Both are killed outright, and the child has done what it can to stay."""
    marker, weight = f"marker-{os.getpid()}-{time.monotonic_ns()}", f"light,{left_out}".strip(",")
    session = tmp_path / "session"
    session.mkdir()
    arguments = [str(SERVER), marker, weight, plant(tmp_path, OUTLIVE), str(session)]
    with subprocess.Popen([sys.executable, "-c", APP, *arguments], stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        server = int(app.stdout.readline())
        child = [pid for pid in with_command(marker) if pid not in (app.pid, server)]
        assert len(child) == 1
        os.kill(server, signal.SIGSTOP)  # so that it cannot end the child first
        app.kill()
        os.kill(server, signal.SIGKILL)
    end = time.monotonic() + (20 if dies else 1)
    while time.monotonic() < end and child[0] in with_command(marker):
        time.sleep(0.05)
    assert (child[0] not in with_command(marker)) == dies
    if not dies:
        os.kill(child[0], signal.SIGKILL)
