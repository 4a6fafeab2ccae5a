"""The child's side of the sandbox: a server that imports torch once and forks a child a job.

`python -m penviz.external.sandbox.server --serve` is started by `penviz.external.sandbox.sandbox` on Linux,
`--job DIRECTORY` runs one job in a fresh process elsewhere, `--probe` says which limits this system holds a
process to. The server runs no operator and sees no GPU, so that forking it is safe. It has one thread: one
loop forks, ends and reaps.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from penviz import InputError
from penviz.external.sandbox import confinement
from penviz.external.sandbox.answer import REQUEST_FILE, Budget

Task = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]

OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "std::bad_alloc")
"""How torch says in a RuntimeError that an allocation or a mapping failed."""


def main(arguments: list[str], tasks: Callable[[], Mapping[str, Task]]) -> None:
    """Serve, run one job, or probe, as the command line says; `tasks` imports torch with what it returns."""
    if arguments == ["--serve"]:
        Server(tasks()).run()
        os._exit(0)  # past what libraries say and do at an exit
    elif arguments[:1] == ["--job"] and len(arguments) == 2:
        channel = os.dup(1)
        _silence()
        work(tasks(), Path(arguments[1]), channel, os.getppid())
    elif arguments == ["--probe"]:
        print(json.dumps(confinement.probe()), flush=True)
    else:
        sys.exit("This is the inner side of the sandbox; the app starts it.")


class Server:
    """Forks a child for each request that comes through standard input, and ends with it."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = tasks
        self._app = socket.socket(fileno=os.dup(0))
        self._jobs: dict[int, socket.socket] = {}  # child -> the app's leash on it
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Say which limits bite, then serve until the app closes the socket or dies."""
        confinement.isolate()
        self._app.send(json.dumps({"enforced": confinement.probe()}).encode())
        gc.collect()
        gc.freeze()  # the collector must not touch, and so copy, pages that children share
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._app, selectors.EVENT_READ, "app")
        self._selector.register(woken, selectors.EVENT_READ, "child")
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.data == "app":
                        if not self._accept():
                            return
                    elif key.data == "child":
                        with contextlib.suppress(BlockingIOError):
                            woken.recv(1 << 12)
                        self._reap()
                    elif key.data in self._jobs:  # the app pulled a leash, or dropped it
                        self._selector.unregister(key.fileobj)
                        _kill_group(key.data)
        finally:
            for child in self._jobs:
                _kill_group(child)
            while self._jobs:  # dead first, so that what they leave is the server's
                os.waitpid(self._jobs.popitem()[0], 0)
            self._end_orphans()

    def _accept(self) -> bool:
        """Fork a child for the next request; False when the app is gone."""
        request, descriptors, _, _ = socket.recv_fds(self._app, 1 << 12, 2)
        if len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            return bool(request)
        channel, leash = descriptors[0], socket.socket(fileno=descriptors[1])
        server = os.getpid()
        try:
            child = os.fork()
        except OSError:  # the app sees a leash that closed without a word
            leash.close()
            os.close(channel)
            return True
        if child == 0:
            self._become_child(Path(os.fsdecode(request)), channel, server)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        os.close(channel)
        self._jobs[child] = leash
        self._selector.register(leash, selectors.EVENT_READ, child)
        return True

    def _become_child(self, directory: Path, channel: int, server: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setpgid(0, 0)
            _silence()
            for name in os.listdir("/proc/self/fd"):
                if int(name) not in (0, 1, 2, channel):
                    with contextlib.suppress(OSError):
                        os.close(int(name))
            work(self._tasks, directory, channel, server)
        finally:
            os._exit(1)

    def _reap(self) -> None:
        """Tell the app of children that ended, after ending what they left behind."""
        for child in list(self._jobs):
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(child)  # not yet reaped, so that the number is still its own
            _, status, usage = os.wait4(child, 0)
            leash = self._jobs.pop(child)
            self._end_orphans()
            ending = {
                "status": os.waitstatus_to_exitcode(status),
                "max_rss_bytes": usage.ru_maxrss << 10,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
            }
            with contextlib.suppress(OSError):
                leash.send(json.dumps(ending).encode())
            with contextlib.suppress(KeyError):
                self._selector.unregister(leash)
            leash.close()

    def _end_orphans(self) -> None:
        """End what a child started and left: as a subreaper the server is now its parent."""
        for _ in range(1000):
            strays = [pid for pid in confinement.orphans() if pid not in self._jobs]
            if not strays:
                return
            for stray in strays:
                with contextlib.suppress(OSError):
                    os.kill(stray, signal.SIGKILL)
            for stray in strays:
                with contextlib.suppress(OSError):
                    os.waitpid(stray, 0)


def work(tasks: Mapping[str, Task], directory: Path, channel: int, parent: int) -> NoReturn:
    """Do the job whose request lies in a directory, in this process, and end it.

    Args:
        tasks: name -> function.
        directory: of the job.
        channel: where the messages go: {"begun": true}, {"tell": ...} as often as the task likes, then one of
            {"result": ...}, {"refused": sentence, "advice": ...}, {"memory": true},
            {"full": whether the disk is full, rather than the file too large}, {"failed": ..., "trace": ...}.
        parent: the process with which this one dies.
    """
    status = 1
    try:
        request = json.loads((directory / REQUEST_FILE).read_text(encoding="utf-8"))
        reads = map(Path, request["reads"])
        confinement.confine(Budget(**request["budget"]), directory, parent, reads)
        _send(channel, {"begun": True})
        _send(channel, _answer(tasks, request, lambda message: _send(channel, {"tell": message})))
        status = 0
    finally:
        os._exit(status)


def _answer(
    tasks: Mapping[str, Task], request: dict[str, Any], tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    try:
        result = {"result": tasks[request["task"]](request["arguments"], tell)}
        json.dumps(result)
        return result
    except Exception as error:
        if out_of_memory(error):
            return {"memory": True}
        if isinstance(error, InputError):
            return {"refused": str(error), "advice": str(getattr(error, "advice", ""))}
        if isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOSPC, errno.EDQUOT):
            return {"full": error.errno != errno.EFBIG}
        return {"failed": type(error).__name__, "trace": traceback.format_exc()[-4000:]}


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised for, says that memory ran out."""
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _send(channel: int, message: dict[str, Any]) -> None:
    line = memoryview(json.dumps(message).encode() + b"\n")
    while line:
        line = line[os.write(channel, line) :]


def _silence() -> None:
    """Nothing to read, and what libraries print goes nowhere."""
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        nowhere = os.open(os.devnull, flags)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(leader, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def penviz_tasks() -> Mapping[str, Task]:
    """What the app may ask for."""
    from penviz.external.importing.tasks import before_forking

    return before_forking()


if __name__ == "__main__":
    main(sys.argv[1:], penviz_tasks)
