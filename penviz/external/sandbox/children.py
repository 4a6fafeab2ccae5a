"""Children of the sandbox: forked by a server that has torch, or started fresh. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import penviz

START_SECONDS = 180
"""How long importing torch may take."""

KEPT_VARIABLES = (
    "PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "TEMP", "TMP",
)  # fmt: skip
"""What a child sees of the app's environment: no tokens, no passwords."""


@dataclass(frozen=True)
class Ending:
    """How a child ended: status as of Popen.returncode (None: not known), peak memory, processor time."""

    status: int | None
    max_rss_bytes: int = 0
    cpu_seconds: float = 0.0


class Child(Protocol):
    """One child process: the pipe it writes to, a way to end it, and its ending."""

    messages: IO[bytes]

    def kill(self) -> None:
        """End it and all that it started, at once; harmless when it is gone."""

    def wait(self) -> Ending:
        """Wait for its end."""


class ForkServer:
    """A process that has imported torch and forks a child a job.

    Requests go through a socket that is the server's standard input; when the app dies, however it dies, the
    socket closes and the server ends its children and itself. (PR_SET_PDEATHSIG would not do here: it fires
    at the end of the thread that started the server, and a page's threads are short-lived.)

    Raises:
        OSError: it does not start.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*command, "--serve"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        try:
            self._socket.settimeout(START_SECONDS)
            ready = self._socket.recv(1 << 16)
            self._socket.settimeout(None)
            if not ready:
                raise OSError("the server ended before it was ready")
            self.enforced: dict[str, bool] = json.loads(ready)["enforced"]
        except (OSError, ValueError, KeyError) as error:
            self.close()
            raise OSError(f"the server did not get ready: {error}") from None

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    def child(self, directory: Path) -> Child:
        """A new child for the request in a directory; OSError when the server is gone."""
        reading, writing = os.pipe()
        leash, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._socket, [os.fsencode(directory)], [writing, theirs.fileno()])
        except OSError:
            os.close(reading)
            leash.close()
            raise
        finally:
            os.close(writing)
        return _ForkedChild(os.fdopen(reading, "rb"), leash)

    def close(self) -> None:
        """End the server and its children."""
        self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _ForkedChild:
    """A child of the server; a socket between app and server is its leash."""

    def __init__(self, messages: IO[bytes], leash: socket.socket) -> None:
        self.messages = messages
        self._leash = leash
        self._ending: Ending | None = None

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._leash.send(b"k")

    def wait(self) -> Ending:
        if self._ending is None:
            said = b""
            with contextlib.suppress(OSError):
                while part := self._leash.recv(1 << 12):
                    said += part
            self._ending = Ending(**json.loads(said)) if said else Ending(None)
            self._leash.close()
        return self._ending


class FreshChild:
    """A process of its own that imports torch by itself, where forking is not to be had."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self._process = subprocess.Popen(
            [*command, "--job", os.fspath(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.messages: IO[bytes] = self._process.stdout

    def kill(self) -> None:
        """End the process and its group."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> Ending:
        """Wait for its end; peak memory and processor time are not known."""
        return Ending(self._process.wait())


def ask_limits(command: Sequence[str]) -> dict[str, bool]:
    """Which limits a fresh child is held to, found by one that tries; OSError when it does not answer."""
    try:
        process = subprocess.run(
            [*command, "--probe"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            timeout=START_SECONDS,
            check=True,
        )
        return dict(json.loads(process.stdout))
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError(f"no answer about limits: {error}") from None


def _environment() -> dict[str, str]:
    """The environment of the other side: no GPU, one thread, no hub, and this very penviz."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    root = Path(penviz.__file__).resolve().parents[1]
    if root.name not in ("site-packages", "dist-packages"):  # run from a source tree
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), kept.get("PYTHONPATH", "")]))
    one_thread = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return (
        kept
        | dict.fromkeys(one_thread, "1")
        | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        | {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    )
