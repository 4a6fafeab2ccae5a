"""What a child is held to: limits on memory, time, files and processes, no network. Standard library only.

Each limit is set where the system has it; `probe` finds out by trying which ones bite.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import mmap
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from penviz.external.sandbox.sandbox import Budget

BACKSTOP_BYTES = 8 << 30
"""The least limit on address space: importing torch alone maps 3 GB, so this is not the limit that counts."""

OPEN_FILES = 256
ALARM_SLACK_SECONDS = 5
"""The child's own clock strikes this long after the app's, for the case that the app is gone."""

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


def confine(budget: Budget, directory: Path, parent: int | None = None) -> None:
    """Hold this process to a budget, in a directory of its own; for good, in a child that does one job.

    Args:
        budget: memory and time count from now.
        directory: becomes the working directory and the place for temporary files.
        parent: the process with which this one dies (Linux).
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


def isolate() -> None:
    """For a fork server: no network, no new privileges, orphans of its children become its own (Linux)."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
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


def probe(directory: Path) -> dict[str, bool]:
    """Which limits bite, found by breaking each; only for a process that is then thrown away."""
    tried = {
        "memory": False, "cpu_time": False, "wall_time": True, "file_size": False, "open_files": False,
        "processes": False, "network": False, "dies_with_app": False,
    }  # fmt: skip
    if sys.platform == "win32":
        return tried
    import resource

    confine(Budget(memory_bytes=64 << 20, cpu_seconds=20, wall_seconds=20, file_bytes=4096), directory)
    tried["cpu_time"] = resource.getrlimit(resource.RLIMIT_CPU)[0] <= 20 + math.ceil(time.process_time())
    tried["dies_with_app"] = _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        mmap.mmap(-1, 256 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError):
        tried["memory"] = True
    with tempfile.TemporaryFile(dir=directory) as file:
        try:
            tried["file_size"] = os.write(file.fileno(), bytes(8192)) < 8192
        except OSError:
            tried["file_size"] = True
    with socket.socket() as probed:
        try:
            probed.connect(("127.0.0.1", 9))
        except OSError as error:
            tried["network"] = error.errno in (errno.ENETUNREACH, errno.ENETDOWN, errno.EPERM, errno.EACCES)
    copies: list[int] = []
    try:
        for _ in range(OPEN_FILES):
            copies.append(os.dup(0))
    except OSError:
        tried["open_files"] = True
    for copy in copies:
        os.close(copy)
    try:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    except OSError:
        tried["processes"] = True
    return tried


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
