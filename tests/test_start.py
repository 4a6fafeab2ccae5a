"""Every way of starting the app: who can reach it, how large an upload may be, which theme it has."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import free_port
from page_client import html
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
STREAMLIT = (sys.executable, "-m", "streamlit", "run")
DOCKER = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD"))
LIMIT = 500 * 2**20
"""Bytes of the largest file that the page accepts: its widget writes 500MB and means MiB."""


@contextmanager
def started(command: tuple[str, ...], cwd: Path, home: Path) -> Iterator[int]:
    """Run a command that opens the app until the app answers; gives its port."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("STREAMLIT_", "PENVIZ_"))}
    process = subprocess.Popen(
        [word.replace("8501", str(port)) for word in command],
        cwd=cwd,
        env=environment | {"HOME": str(home), "STREAMLIT_SERVER_HEADLESS": "true", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("The app did not answer within a minute.")
        yield port
    finally:
        process.kill()
        process.wait()


def listens_at(port: int) -> set[str]:
    """Addresses of this machine at which somebody listens on a port, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            address, at = line.split()[1].split(":")
            if int(at, 16) == port and line.split()[3] == "0A":  # listening
                found.add(address)
    return found


THIS_COMPUTER = {"0100007F", "00000000000000000000000001000000"}


def answer_to_upload(port: int, n_bytes: int) -> int:
    """HTTP status with which a session meets the head of an upload; its bytes are never sent."""
    with connect(f"ws://127.0.0.1:{port}/_stcore/stream", max_size=None) as page:
        page.send(BackMsg(rerun_script={"query_string": ""}).SerializeToString())
        while True:
            message = ForwardMsg.FromString(page.recv(60))
            if message.HasField("new_session"):
                break
        session = message.new_session.initialize.session_id
        health = urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health")
        cookie = health.headers["Set-Cookie"].split(";")[0]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
            one.sendall(
                f"PUT /_stcore/upload_file/{session}/any HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {n_bytes}\r\n"
                f"Cookie: {cookie}\r\nX-Xsrftoken: {cookie.split('=', 1)[1]}\r\n"
                "Expect: 100-continue\r\n\r\n".encode()
            )
            return int(one.recv(100).split()[1])


WAYS = {
    "a checkout, from elsewhere": ((*STREAMLIT, str(ROOT / "app.py"), "--server.port", "8501"), "elsewhere"),
    "make app": ((*STREAMLIT, "app.py", "--server.port", "8501"), "checkout"),
    "penviz app": ((sys.executable, "-m", "penviz", "app", "--port", "8501"), "elsewhere"),
    "Docker": ((sys.executable, "-m", *json.loads(DOCKER.removeprefix("CMD"))), "checkout"),
}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel's table of sockets is Linux's")
@pytest.mark.parametrize("way", WAYS)
def test_only_docker_listens_to_others_and_all_take_the_same_upload(way: str, tmp_path: Path) -> None:
    command, where = WAYS[way]
    with started(command, ROOT if where == "checkout" else tmp_path, tmp_path) as port:
        places = listens_at(port)
        assert places, "nobody listens"
        assert (places <= THIS_COMPUTER) == (way != "Docker"), places
        assert answer_to_upload(port, LIMIT) == 100  # which asks for the bytes
        assert answer_to_upload(port, LIMIT + 1) == 413


def test_make_starts_streamlit_as_tested_here() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.app", "app"], cwd=ROOT, capture_output=True, text=True
    )
    assert "streamlit run app.py --server.port 8501\n" in told.stdout


def test_page_says_the_servers_limit(
    open_app: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import config

    before = config.get_option("server.maxUploadSize")
    config.set_option("server.maxUploadSize", 123)
    try:
        app = AppTest.from_function(_your_model, default_timeout=60).run()
        assert not app.exception
        (place,) = app.get("file_uploader")
        assert place.proto.max_upload_size_mb == 123
    finally:
        config.set_option("server.maxUploadSize", before)


def _your_model() -> None:
    from penviz.app.page.your_model import show_model

    show_model()


@pytest.mark.parametrize("query", [{"ask-embed": "true"}, {"ask-embed_options": "dark_theme"}, {"ask-": "x"}])
def test_a_link_that_asks_for_what_is_not_a_run_opens_the_page(
    query: dict[str, Any], open_app: Callable[..., AppTest]
) -> None:
    app = open_app(**query)
    assert "No runs here." in html(app)
