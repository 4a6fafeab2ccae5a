"""What several tests share: one thread, and the app on runs of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Opens the app on the runs under `tmp_path`, with the parameters of a link."""
    from page_client import opened

    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    return opened
