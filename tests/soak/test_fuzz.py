"""A short form of the soak's fuzz, and proof that it would see a fault."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from soak.fuzz import attempt, fuzz

from penviz import InputError

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc"
)


def test_every_reader_reads_or_refuses_what_was_changed(tmp_path: Path) -> None:
    found = fuzz(tmp_path, 3, range(600))
    assert found.faults == []
    assert found.read.total() > 20  # not all changes do harm
    assert found.refused.total() > 300
    assert len(found.read | found.refused) > 80


def test_the_fuzz_sees_a_reader_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.readers.FigureSpec.read", lambda path: {}["n"])
    assert any("KeyError" in fault for fault in fuzz(tmp_path, 1, range(90)).faults)


def test_the_fuzz_sees_code_that_runs(tmp_path: Path) -> None:
    (tmp_path / "at").mkdir()
    canary = tmp_path / "canary"

    def unpickles(at: Path) -> None:
        pickle.loads(b"cos\nmkdir\n(V" + str(canary).encode() + b"\ntR.")

    assert "runs code" in attempt(unpickles, tmp_path / "at", canary).fault
    assert "runs code" in attempt(lambda at: os.system("true"), tmp_path / "at", canary).fault
    assert "MB" in attempt(lambda at: bytearray(b"x" * (400 << 20)), tmp_path / "at", canary).fault

    def swears(at: Path) -> None:
        raise InputError("no " * 1000)

    assert "says" in attempt(swears, tmp_path / "at", canary).fault
    assert attempt(lambda at: None, tmp_path / "at", canary).fault == ""
