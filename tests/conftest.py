"""What several tests share: one thread, a command line, and the app on runs of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


class Ended(NamedTuple):
    """What a command left: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


Verb = Callable[..., Ended]


@pytest.fixture
def penviz(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Runs a command line in this process: importing torch for every call would take most of the time."""
    from penviz.cli import main

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["penviz", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main.main()
        code = stop.value.code
        return Ended(code if isinstance(code, int) else int(bool(code)), *capfd.readouterr())

    return run


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Opens the app on the runs under `tmp_path`, with the parameters of a link."""
    from page_client import opened

    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    return opened
