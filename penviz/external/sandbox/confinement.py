"""What a child is held to: memory, time, no process, no network, no files but its own. Standard library only.

Each limit is set where the system has it; `probe` finds out by trying which ones bite.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import mmap
import os
import shutil
import signal
import socket
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from penviz.external.sandbox import landlock, seccomp
from penviz.external.sandbox.answer import Budget

BACKSTOP_BYTES = 8 << 30
"""The least limit on address space: importing torch alone maps 3 GB, so this is not the limit that counts."""

OPEN_FILES = 256
ALARM_SLACK_SECONDS = 5
"""The child's own clock strikes this long after the app's, for the case that the app is gone."""

LIMITS = (
    "memory", "cpu_time", "wall_time", "file_size", "open_files", "processes", "network", "reading",
    "writing", "system_calls", "dies_with_app",
)  # fmt: skip
"""What `probe` tries: reading and writing are of files not the job's, system_calls the filter of seccomp."""

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522


def confine(budget: Budget, directory: Path, parent: int | None = None, reads: Iterable[Path] = ()) -> None:
    """Hold this process to a budget, in a directory of its own; for good, in a child that does one job.

    Args:
        budget: memory and time count from now.
        directory: becomes the working directory, the place for temporary files, and all that may be written.
        parent: the process with which this one dies (Linux).
        reads: files and directories that may be read, besides Python's own.

    Raises:
        OSError: the system has a limit and does not set it.
    """
    os.chdir(directory)
    for name in ("TMPDIR", "TEMP", "TMP", "HOME"):
        os.environ[name] = str(directory)
    tempfile.tempdir = None
    if sys.platform == "win32":
        return
    import resource

    os.umask(0o077)
    with contextlib.suppress(OSError):
        os.nice(5)
    with contextlib.suppress(OSError):  # if the machine runs out of memory, this goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    if parent is not None:
        _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    signal.setitimer(signal.ITIMER_REAL, budget.wall_seconds + ALARM_SLACK_SECONDS)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, budget.file_bytes)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_CPU, budget.cpu_seconds + math.ceil(time.process_time()), spare=1)
    if hasattr(resource, "RLIMIT_NPROC"):
        _limit(resource.RLIMIT_NPROC, 0)  # no process and no thread besides this one; root is exempt
    sizes = _sizes()
    _limit(resource.RLIMIT_AS, max(BACKSTOP_BYTES, sizes["VmSize"] + 2 * budget.memory_bytes))
    if hasattr(resource, "RLIMIT_DATA"):
        _limit(resource.RLIMIT_DATA, sizes["VmData"] + budget.memory_bytes)
    if sys.platform == "linux":
        rules = [(path, landlock.READ) for path in (*python_files(), *reads)]
        landlock.restrict([*rules, (Path(os.devnull), landlock.USE), (directory, landlock.OWN)])
        _drop_capabilities()
        seccomp.restrict()


def python_files() -> list[Path]:
    """What Python needs to run and to import: its library, installed packages and what is imported by now."""
    places = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    places += [os.path.join(prefix, "lib") for prefix in (sys.prefix, sys.base_prefix)]
    places += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    places += ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/proc/self"]
    places += ["/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom", "/dev/random", "/dev/zero"]
    places += os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    places = [place for place in places if os.path.isabs(place)]
    known = tuple(place + os.sep for place in places)
    for name, module in list(sys.modules.items()):  # penviz's own, and packages in development
        if "." not in name:
            found = list(getattr(module, "__path__", None) or [getattr(module, "__file__", None) or ""])
            places += [place for place in found if os.path.isabs(place) and not place.startswith(known)]
    return [Path(place) for place in dict.fromkeys(places)]


def _drop_capabilities() -> None:
    """Give up what an administrator may do, such as raising limits again."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)())


def isolate() -> None:
    """For a fork server: no network, no new privileges, orphans of its children become its own (Linux)."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    _leave_network()


def _leave_network() -> None:
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:  # a network without a single device
        with contextlib.suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def orphans() -> Iterator[int]:
    """Children of this process (Linux), running or dead."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                # The name in brackets may hold anything; the state and the parent follow its last bracket.
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == os.getpid():
                    yield int(entry)


def probe() -> dict[str, bool]:
    """Which limits bite, found by a process that breaks each and is thrown away, where it can be forked."""
    place = Path(tempfile.mkdtemp(prefix="penviz-probe-"))
    try:
        if not hasattr(os, "fork"):
            return _broken(place)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, json.dumps(_broken(place)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            said = stream.read()
        os.waitpid(child, 0)
        return dict(json.loads(said))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _broken(place: Path) -> dict[str, bool]:
    """Limit -> whether this process runs into it; only for a process that is then thrown away."""
    if sys.platform == "win32":
        return dict.fromkeys(LIMITS, False)
    import resource

    directory, canary = place / "job", place / "canary"
    directory.mkdir()
    canary.write_text("alive")
    confine(
        Budget(memory_bytes=64 << 20, cpu_seconds=20, wall_seconds=20, file_bytes=4096),
        directory,
        os.getppid(),
    )
    libc, at_death = ctypes.CDLL(None, use_errno=True), ctypes.c_int()
    libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(at_death))

    def connect() -> None:
        with socket.socket() as probed, contextlib.suppress(ConnectionRefusedError):
            probed.connect(("127.0.0.1", 9))

    def fork() -> None:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)

    return {
        "memory": _fails(
            lambda: mmap.mmap(-1, 256 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        ),
        "cpu_time": 0 <= resource.getrlimit(resource.RLIMIT_CPU)[0] <= 20 + math.ceil(time.process_time()),
        "wall_time": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "file_size": _fails(lambda: Path("large").write_bytes(bytes(8192))),
        "processes": _fails(fork),
        "network": _fails(connect),
        "reading": _fails(canary.read_text),
        "writing": _fails(lambda: canary.write_text("dead")),
        "system_calls": sys.platform == "linux" and libc.unshare(0) != 0,
        "dies_with_app": at_death.value == signal.SIGKILL,
        "open_files": _fails(lambda: [os.dup(0) for _ in range(OPEN_FILES)]),  # last: it leaves none
    }


def _fails(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return True
    return False


def _limit(kind: int, value: int, spare: int = 0) -> None:
    """Set the soft limit to value and the hard one to value + spare, or to what is allowed."""
    import resource

    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value, spare = min(value, hard), min(spare, hard - min(value, hard))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value + spare))


def _sizes() -> dict[str, int]:
    """VmSize and VmData of this process in bytes, zeros where the system does not say."""
    sizes = {"VmSize": 0, "VmData": 0}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in sizes:
                sizes[name] = int(value.split()[0]) << 10
    return sizes


def _control(option: int, value: int) -> bool:
    """Linux's prctl; whether it worked."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
