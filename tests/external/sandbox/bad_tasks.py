"""Inside the sandbox, tasks that misbehave, for the tests: python bad_tasks.py MARKER heavy --serve.

"light" in place of "heavy" leaves torch out, for tests of processes alone. "light,landlock,cpu_time" also
leaves out these limits, so that a test can show that it would fail without them.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.external.sandbox import confinement, server

Tell = Callable[[dict[str, Any]], None]


def channel() -> int:
    """The pipe to the app, found as hostile code would find it."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if int(name) > 2 and "pipe" in os.readlink(f"/proc/self/fd/{name}"):
                return int(name)
    raise AssertionError("no pipe")


def echo(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    return {"arguments": arguments}


def state_of_torch(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    import torch

    return {"threads": torch.get_num_threads(), "cuda": torch.cuda.is_available()}


def where(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    Path("here").write_text("x")
    with tempfile.NamedTemporaryFile(delete=False) as file:
        status = dict(
            s.split(":\t", 1) for s in Path("/proc/self/status").read_text().splitlines() if ":\t" in s
        )
        return {
            "cwd": os.getcwd(),
            "temporary": file.name,
            "home": os.environ["HOME"],
            "secret": os.environ.get("PENVIZ_TEST_SECRET"),
            "descriptors": sorted(int(n) for n in os.listdir("/proc/self/fd")),
            "threads": status["Threads"],
            "group": os.getpgid(0) == os.getpid(),
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "pid": os.getpid(),
            "ppid": os.getppid(),
        }


def count(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    for i in range(arguments["n"]):
        tell({"done": i + 1, "of": arguments["n"], "pid": os.getpid()})
        time.sleep(arguments.get("pause", 0.05))
    return {"done": arguments["n"]}


def allocate_python(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    return {"n": len(bytearray(arguments["bytes"]))}


def allocate_torch(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    import torch

    return {"n": torch.ones(arguments["bytes"] // 4).numel()}


def allocate_slowly(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    kept = []
    while True:
        kept.append(b"x" * (1 << 20))


def allocate_as_a_refusal(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    import torch

    try:
        torch.ones(arguments["bytes"] // 4)
    except RuntimeError as error:
        raise InputError("The file is damaged.") from error
    return {}


def map_shared(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    maps = [mmap.mmap(-1, 1 << 30) for _ in range(64)]
    return {"n": len(maps)}


def loop(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    while True:
        pass


def sleep(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    tell({"pid": os.getpid()})
    time.sleep(3600)
    return {}


def sleep_with_the_pipe_closed(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os.close(channel())
    time.sleep(3600)
    return {}


def sleep_deaf(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    tell({"pid": os.getpid()})
    while True:
        time.sleep(3600)


def write_file(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    with open("huge", "wb") as file:
        for _ in range(arguments["bytes"] >> 20):
            file.write(bytes(1 << 20))
    return {}


def open_files(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    return {"n": len([open(os.devnull) for _ in range(100_000)])}


def segfault(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    ctypes.string_at(8)
    return {}


def bus_error(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    Path("short").write_bytes(bytes(4096))
    with open("short", "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 4096)
        file.truncate(0)
        return {"first": mapped[0]}


def kill_itself(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os.kill(os.getpid(), arguments["signal"])
    time.sleep(5)
    return {}


def leave(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os._exit(arguments["status"])


def say(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os.write(channel(), arguments["text"].encode("utf-8", "surrogateescape"))
    return {}


def say_deep(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    os.write(channel(), b"[" * 200_000 + b"\n")
    return {}


def flood_a_line(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    while True:
        os.write(channel(), b"a" * 65536)


def flood_lines(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    while True:
        tell({"text": "a" * 10_000})


def refuse(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    error = InputError("This is\x1b[31m refused.")
    error.advice = "Save it again."  # type: ignore[attr-defined]
    raise error


def fail(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    raise KeyError("secret path")


def answer_no_json(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    return {"path": Path()}


def fork_bomb(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """A tree of 64 sleeping processes, each in a session of its own, where the system lets a child fork."""
    leader = os.getpid()
    with contextlib.suppress(BlockingIOError):
        for _ in range(6):
            if os.fork() == 0:
                os.setsid()
    if os.getpid() == leader:
        tell({"pid": leader})
    while True:
        time.sleep(3600)


def leave_a_daemon(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True
    )
    return {"pid": process.pid}


def connect(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", arguments["port"]), timeout=2):
        return {"connected": True}


def litter(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    Path("locked").mkdir()
    Path("locked/file").write_text("x")
    os.umask(0o777)
    Path("locked/inner").mkdir()
    for attempt in (
        lambda: Path("link").symlink_to("/"),
        lambda: os.mkfifo("fifo"),
        lambda: os.chmod("locked", 0),
    ):
        with contextlib.suppress(PermissionError):
            attempt()
    return {}


def unpickle(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """What no task of penviz does. Returns what the file made of it."""
    import pickle
    import zipfile

    path = Path(arguments["path"])
    tell({"pid": os.getpid()})
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data = archive.read(next(n for n in archive.namelist() if n.endswith(".pkl")))
    else:
        data = path.read_bytes()
    return {"loaded": pickle.loads(data)}


def load(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Read all that a file holds, as adoption does; the sum of its numbers."""
    import numpy as np

    from penviz.external.importing.arrays import read_arrays
    from penviz.external.networks.weights import read_weights
    from penviz.external.reader.images_zip import unpack_folder
    from penviz.external.reader.inspection import inspect_file
    from penviz.external.reader.run_zip import unpack_run

    path = Path(arguments["path"])
    report = inspect_file(path)
    if report.kind == "zip of images":
        return {"n": sum(unpack_folder(path, Path.cwd() / "folder").splits.values())}
    if report.kind == "penviz run":
        unpack_run(path, Path.cwd() / "run")
        return {"n": len(list(Path("run").iterdir()))}
    if {"features", "labels"} <= {entry.key for entry in report.tensors}:
        return {"n": int(np.size(read_arrays(path)["features"]))}
    weights = read_weights(path, report)
    return {"n": sum(tensor.numel() for tensor in weights.values())}


BAD_TASKS = {
    name: value
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__module__", "") == __name__
    and name not in ("channel", "leave_out")
}


def leave_out(limits: set[str]) -> None:
    """Take limits out of this process and its children."""
    kinds = {
        "memory": "RLIMIT_DATA",
        "address_space": "RLIMIT_AS",
        "cpu_time": "RLIMIT_CPU",
        "file_size": "RLIMIT_FSIZE",
        "open_files": "RLIMIT_NOFILE",
        "processes": "RLIMIT_NPROC",
    }
    import resource

    without = {getattr(resource, kinds[name]) for name in limits & kinds.keys()}
    set_limit, control = confinement._limit, confinement._control

    def some_limits(kind: int, value: int, spare: int = 0) -> None:
        if kind not in without:
            set_limit(kind, value, spare)

    confinement._limit = some_limits
    if "landlock" in limits:
        confinement.landlock.restrict = lambda rules: False
    if "new_landlock" in limits:
        confinement.landlock.abi = lambda: 1
    if "seccomp" in limits:
        confinement.seccomp.restrict = lambda: False
    if "network" in limits:
        confinement._leave_network = lambda: None
    if "wall_time" in limits:
        confinement.signal.setitimer = lambda *_: None
    if "death" in limits:
        confinement._control = lambda option, value: (
            option == confinement._PR_SET_PDEATHSIG or control(option, value)
        )


if __name__ == "__main__":
    weight, *left_out = sys.argv[2].split(",")
    heavy = weight == "heavy"
    leave_out(set(left_out))
    server.main(sys.argv[3:], lambda: BAD_TASKS | (server.penviz_tasks() if heavy else {}))
