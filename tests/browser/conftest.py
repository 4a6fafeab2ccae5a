"""A live server on a free port and Debian's Chromium; skipped where there is none, unless one is required."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # small_runs

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).parents[2]
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """PENVIZ_CHROMIUM, or the first Chromium or Chrome on the path."""
    named = os.environ.get("PENVIZ_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return named or next((path for name in names if (path := shutil.which(name))), None)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Server:
    """A running app: where it answers, what its process has imported, where its temporary files lie."""

    url: str
    process: subprocess.Popen[bytes]
    modules_file: Path
    temporary: Path

    def modules(self) -> set[str]:
        self.modules_file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        for _ in range(200):
            if self.modules_file.exists():
                return set(json.loads(self.modules_file.read_text()))
            time.sleep(0.05)
        raise AssertionError("The server did not say what it has imported.")


@dataclass
class Opened:
    """A page and everything that went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> str:
    path = find_chromium()
    if path is None:
        if os.environ.get("PENVIZ_REQUIRE_BROWSER") == "1":
            pytest.fail("PENVIZ_REQUIRE_BROWSER is 1 and there is no Chromium.")
        pytest.skip("no Chromium: install Debian's chromium or set PENVIZ_CHROMIUM")
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from small_runs import make_run

    root = tmp_path_factory.mktemp("runs")
    make_run(root, "hard", 0.0, per_class=110, thumbnails=True)
    make_run(root, "soft", 0.1, per_class=110, thumbnails=True)
    return root


@pytest.fixture
def filmed(runs: Path) -> Iterator[tuple[int, ...]]:
    """The two runs have snapshots of these epochs for as long as a test runs."""
    from small_runs import small_snapshots

    from penviz.store.snapshots import snapshots_path

    epochs, made = (1, 2, 3, 5, 8, 12), []
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        for split in ("train", "validation"):
            made.append(snapshots_path(runs / name, split))
            small_snapshots(name, split, alpha, epochs=epochs).save(made[-1])
    yield epochs
    for path in made:
        path.unlink()


@pytest.fixture(scope="session")
def server(chromium: str, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    port = free_port()
    log = (place / "log").open("wb")
    temporary = place / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("serve.py")), str(port), str(place / "modules")],
        cwd=ROOT,
        env=os.environ
        | {"PENVIZ_RUNS": str(runs), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
        | {"PENVIZ_CACHE": str(place / "cache")},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    started = Server(f"http://127.0.0.1:{port}", process, place / "modules", temporary)
    try:
        for _ in range(600):
            if process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{started.url}/_stcore/health", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        else:
            raise AssertionError("The server did not answer within a minute.")
        assert process.poll() is None, (place / "log").read_text()
        yield started
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="session")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=chromium,
            headless=True,
            args=list(ARGUMENTS),
            viewport={"width": 1280, "height": 800},
        )
        yield context
        context.close()


@pytest.fixture
def opened(browser: BrowserContext, server: Server) -> Iterator[Opened]:
    """A fresh page that must end without an error in it or in the console."""
    made = Opened(browser.new_page())
    made.page.on("pageerror", lambda error: made.problems.append(f"page: {error}"))
    made.page.on(
        "console",
        lambda message: made.problems.append(f"console: {message.text}") if message.type == "error" else None,
    )
    made.page.on("requestfailed", lambda request: made.problems.append(f"request: {request.url}"))
    made.page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server.url, "data:", "blob:", server.url.replace("http", "ws")))
            else made.problems.append(f"leaves this machine: {request.url}")
        ),
    )
    yield made
    made.page.close()
    assert made.problems == []
