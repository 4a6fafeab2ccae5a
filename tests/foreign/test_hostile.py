"""The hostile corpus: each file is refused in a sentence or reported, and no code runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from foreign.corpus import HostileFile, code_routes, hostile_files

from penviz.foreign.inspection import inspect_file
from penviz.foreign.report import FileReport


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "canary"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, canary: Path) -> list[HostileFile]:
    return hostile_files(tmp_path_factory.mktemp("hostile"), canary)


def sound_report(report: FileReport) -> None:
    """What holds for every report whatever the file."""
    assert FileReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    for sentence in (report.refusal, report.advice, *report.notes):
        assert not sentence or (sentence.isprintable() and sentence[-1] in ".?" and len(sentence) < 500)
    for shown in (report.name, *report.globals, *report.extras, *report.extras.values()):
        assert shown.isprintable()
    assert not (report.refusal and report.n_parameters)


def test_the_corpus(corpus: list[HostileFile], canary: Path) -> None:
    assert len(corpus) >= 60
    assert len({f.path for f in corpus}) == len(corpus)
    wrong, slow = [], []
    for file in corpus:
        began = time.perf_counter()
        report = inspect_file(file.path)
        took = time.perf_counter() - began
        if took > 5:
            slow.append(f"{file.label} {took:.1f} s")
        sound_report(report)
        fits = report.kind in file.kind.split("|") and bool(report.refusal) == (file.expectation == "refused")
        fits = fits and bool(re.search(file.says, report.refusal))
        fits = fits and {key: getattr(report, key) for key in file.fields} == file.fields
        if not fits:
            wrong.append(f"{file.label}: {report.kind}: {report.refusal}")
    assert wrong == []
    assert slow == []
    assert not canary.exists()
