"""The hostile corpus through the sandbox: inspected, and loaded where the inspection allows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_sandbox import BadSandbox, failure, make_sandbox
from external.reader.corpus import HostileFile, hostile_files

from penviz.external.reader.report import FileReport
from penviz.external.sandbox.answer import Budget
from penviz.external.sandbox.job import Job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")

BUDGET = Budget(memory_bytes=512 << 20, cpu_seconds=20, wall_seconds=60, file_bytes=64 << 20)
"""What no file of the corpus may reach; a pickle of a million opcodes takes 300 MB to read."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BadSandbox]:
    bad = make_sandbox("heavy")
    yield bad
    bad.sandbox.close()
    assert bad.processes() == []


def one_sentence(text: str) -> bool:
    return text.isprintable() and text[-1] in ".?" and "Traceback" not in text


@pytest.mark.slow
def test_the_corpus_in_the_sandbox(sandbox: BadSandbox, tmp_path: Path) -> None:
    canary, files, session = tmp_path / "canary", tmp_path / "files", tmp_path / "session"
    for directory in (files, session):
        directory.mkdir()
    corpus = hostile_files(files, canary, heavy=True)
    before = listing(files)
    sandbox.run("echo", session)
    server, resident = sandbox.server, sandbox.start("echo", session)
    resident.result()
    assert resident.usage is not None
    n_loaded = 0
    for hostile in corpus:
        job = sandbox.start("inspect", session, BUDGET, path=str(hostile.path), name="theirs")
        loading = sandbox.start("load", session, BUDGET, path=str(hostile.path))
        report = FileReport.from_json(job.result())
        assert (report.refusal != "") == (hostile.expectation == "refused"), hostile.label
        assert not report.refusal or one_sentence(report.refusal), hostile.label
        loaded = was_loaded(hostile, loading)
        n_loaded += loaded
        for each in (job, loading):
            assert each.usage is not None
            assert each.usage.max_rss_bytes < resident.usage.max_rss_bytes + BUDGET.memory_bytes, (
                hostile.label
            )
            assert each.usage.cpu_seconds < BUDGET.cpu_seconds, hostile.label
        assert not canary.exists(), hostile.label
        assert list(session.iterdir()) == [], hostile.label
    assert len(corpus) >= 60
    assert n_loaded > 3  # or nothing was tried
    assert listing(files) == before  # nothing was written beside the files
    assert sandbox.server == server  # it never died
    sandbox.assert_clean(session)


def was_loaded(hostile: HostileFile, job: Job) -> bool:
    """Whether a file was loaded; if not, a reader refused it in a sentence, and nothing broke."""
    error = failure(job)
    if error is None:
        assert hostile.expectation == "report", f"{hostile.label} was loaded"
        return True
    assert error.reason == "refused", (hostile.label, str(error), error.detail)
    assert one_sentence(str(error).splitlines()[0]), hostile.label
    return False


@pytest.fixture(scope="module")
def open_sandbox() -> Iterator[BadSandbox]:
    """A sandbox without the limits that keep what runs in it off the disk, and from starting programs."""
    bad = make_sandbox("light,landlock,seccomp,processes")
    yield bad
    bad.sandbox.close()
    assert bad.processes() == []


def test_the_canary_can_die_in_an_open_sandbox(open_sandbox: BadSandbox, tmp_path: Path) -> None:
    """A reader that unpickles does what the files ask for: the test above could fail."""
    canary, files = tmp_path / "canary", tmp_path / "files"
    files.mkdir()
    armed = [hostile for hostile in hostile_files(files, canary) if hostile.runs_code]
    assert len(armed) > 20
    n_touched = 0
    for hostile in armed[:20]:
        failure(open_sandbox.start("unpickle", tmp_path, BUDGET, path=str(hostile.path)))
        if canary.exists():
            (canary.rmdir if canary.is_dir() else canary.unlink)()
            n_touched += 1
    assert n_touched > 10


def listing(directory: Path) -> list[tuple[str, int]]:
    return sorted(
        (os.path.join(root, name), os.lstat(os.path.join(root, name)).st_size)
        for root, _, names in os.walk(directory)
        for name in names
    )
