"""A session's files: private, bounded, and gone with it, with the app, or with the next start of an app."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from penviz import InputError
from penviz.external.sandbox.workspace import OWNER_FILE, PREFIX, Workspace, Workspaces, sweep

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    directory = tmp_path / "session"
    directory.mkdir(0o700)
    return Workspace(directory, max_bytes=10_000)


def test_an_upload_is_kept_under_a_random_name_with_its_digest(workspace: Workspace) -> None:
    content = os.urandom(5000)
    upload = workspace.keep("weights.pth", io.BytesIO(content), 5000)
    assert upload.path.parent == workspace.directory
    assert upload.path.read_bytes() == content
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert (upload.name, upload.n_bytes) == ("weights.pth", 5000)
    other = workspace.keep("weights.pth", io.BytesIO(b""), 5000)
    assert other.path != upload.path


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a\0b", "con", "x" * 5000, "", ".", "a/b\n"])
def test_a_name_never_becomes_a_path(workspace: Workspace, name: str, tmp_path: Path) -> None:
    upload = workspace.keep(name, io.BytesIO(b"abc"), 10)
    assert upload.name == name
    assert [p.name for p in workspace.directory.iterdir()] == [upload.path.name]
    assert set(upload.path.name) <= set("0123456789abcdef")
    assert [p.name for p in tmp_path.iterdir()] == ["session"]


@posix
def test_nobody_else_may_look(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        workspaces = Workspaces(tmp_path)
        workspace = workspaces.open()
        upload = workspace.keep("a", io.BytesIO(b"abc"), 10)
        for path, mode in (
            (workspaces.root, 0o700),
            (workspace.directory, 0o700),
            (upload.path, 0o600),
        ):
            assert stat.S_IMODE(path.stat().st_mode) == mode, path
    finally:
        os.umask(old)
        workspaces.close()


class Endless(io.RawIOBase):
    """A stream without an end, which counts what was taken of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return bytes(size)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    directory = tmp_path / "session"
    directory.mkdir()
    endless = Endless()
    with pytest.raises(InputError, match=r"^The file is larger than the 3 MiB that are accepted\.$"):
        Workspace(directory, 1 << 40).keep("a", endless, 3 << 20)
    assert endless.taken <= (3 << 20) + (1 << 20)
    assert list(directory.iterdir()) == []


def test_the_files_of_a_session_together_are_bounded(workspace: Workspace) -> None:
    first = workspace.keep("a", io.BytesIO(bytes(6000)), 6000)
    for _ in range(3):  # a refused file takes nothing away
        with pytest.raises(InputError, match=r"more than 0\.0095\d+ MiB together"):
            workspace.keep("b", io.BytesIO(bytes(6000)), 6000)
    workspace.keep("b", io.BytesIO(bytes(4000)), 6000)
    workspace.forget(first)
    workspace.forget(first)
    assert not first.path.exists()
    workspace.keep("c", io.BytesIO(bytes(6000)), 6000)
    with pytest.raises(InputError, match="together"):
        workspace.keep("d", io.BytesIO(bytes(1)), 6000)


def test_a_broken_upload_leaves_nothing(workspace: Workspace) -> None:
    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 2

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError(5, "connection lost")
            return b"abc"

    with pytest.raises(InputError, match="could not be written"):
        workspace.keep("a", Broken(), 100)
    assert list(workspace.directory.iterdir()) == []
    workspace.keep("b", io.BytesIO(bytes(10_000)), 10_000)


def test_closing_removes_all_and_refuses_more(workspace: Workspace) -> None:
    workspace.keep("a", io.BytesIO(b"abc"), 10)
    (workspace.directory / "locked").mkdir(0)
    workspace.close()
    assert not workspace.directory.exists()
    workspace.close()
    with pytest.raises(InputError, match="session has ended"):
        workspace.keep("a", io.BytesIO(b"abc"), 10)
    assert not workspace.directory.exists()


def test_a_session_that_ends_during_an_upload_keeps_nothing(workspace: Workspace) -> None:
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.left = 3

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            if self.left == 1:
                workspace.close()
            return b"abc" if self.left >= 0 else b""

    with pytest.raises(InputError, match="session has ended"):
        workspace.keep("a", Slow(), 100)
    assert not workspace.directory.exists()


def test_sessions_of_one_app_are_apart_and_end_with_it(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path)
    one, two = workspaces.open(), workspaces.open()
    one.keep("a", io.BytesIO(b"abc"), 10)
    kept = two.keep("a", io.BytesIO(b"abc"), 10)
    one.close()
    assert kept.path.exists()
    workspaces.close()
    assert list(tmp_path.iterdir()) == []
    workspaces.close()
    with pytest.raises(InputError, match="shutting down"):
        workspaces.open()


APP = """
import io, sys, time
from pathlib import Path
from penviz.external.sandbox.workspace import Workspaces
workspaces = Workspaces(Path(sys.argv[1]))
workspaces.open().keep("a", io.BytesIO(b"abc"), 10)
print(workspaces.root, flush=True)
if sys.argv[2] == "stay":
    time.sleep(3600)
"""


def app(parent: Path, how: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", APP, str(parent), how], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_an_app_that_ends_removes_its_root(tmp_path: Path) -> None:
    process, root = app(tmp_path, "end")
    with process:
        assert root.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_the_next_app_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    killed, stale = app(tmp_path, "stay")
    alive, living = app(tmp_path, "stay")
    with killed, alive:
        try:
            killed.kill()
            killed.wait()
            foreign = tmp_path / "other"
            foreign.mkdir()
            young = tmp_path / (PREFIX + "young")
            young.mkdir()
            old = tmp_path / (PREFIX + "old")
            old.mkdir()
            os.utime(old, (time.time() - 3600,) * 2)
            link = tmp_path / (PREFIX + "link")
            link.symlink_to(foreign)
            assert (stale / OWNER_FILE).exists()
            assert set(sweep(tmp_path)) == {stale, old}
            assert set(tmp_path.iterdir()) == {living, foreign, young, link}
            assert len(list(living.glob("session-*/*"))) == 1
        finally:
            alive.kill()


def test_many_apps_start_at_once(tmp_path: Path) -> None:
    made: list[Workspaces] = []
    threads = [threading.Thread(target=lambda: made.append(Workspaces(tmp_path))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({w.root for w in made}) == 16
    assert all((w.root / OWNER_FILE).exists() for w in made)
    for workspaces in made:
        workspaces.close()
    assert list(tmp_path.iterdir()) == []
