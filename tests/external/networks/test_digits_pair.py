"""Training here: the pair as a task of the sandbox, filmed, extracted, and gone when it is cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.sandbox import Sandbox
from penviz.external.sandbox.workspace import Workspaces
from penviz.store.activations import Activations
from penviz.store.runs import activations_path, list_runs, read_run
from penviz.store.snapshots import Snapshots, snapshots_path
from penviz.training import digits_pair

BUDGET = Budget(memory_bytes=2 << 30, cpu_seconds=300, wall_seconds=900)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def test_a_pair_differs_in_the_smoothing_alone(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    hard, soft = (
        read_run(d) for d in digits_pair.train_pair(tmp_path, ("a", "b"), 3, lambda *now: told.append(now))
    )
    assert (hard.name, soft.name) == ("a", "b")
    assert hard.config.differences(soft.config) == ["targets", "label_smoothing"]
    assert (hard.config.label_smoothing, soft.config.label_smoothing) == (0.0, 0.1)
    assert told == [(0, 1, 3), (0, 2, 3), (0, 3, 3), (1, 1, 3), (1, 2, 3), (1, 3, 3)]
    for run in (hard, soft):
        for split in ("train", "validation"):
            film = Snapshots.load(snapshots_path(run.directory, split))
            assert film.epochs.tolist() == [1, 2, 3]
            last = Activations.load(activations_path(run.directory, split))
            assert last.checkpoint_sha256 == run.model_sha256
            assert set(film.indices.tolist()) <= set(last.indices.tolist())
    assert hard.record["command"].startswith(
        "penviz train digits fc800 --epochs 3 --device cpu --snapshots 30 --snapshots-spacing log"
    )
    assert "--label-smoothing 0.1" in soft.record["command"]


def test_in_the_sandbox_it_tells_shows_its_snapshots_and_leaves_nothing_when_cancelled(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    workspaces = Workspaces(tmp_path)
    try:
        workspace = workspaces.open()
        out = workspace.directory / "runs"
        out.mkdir()
        arguments = {"names": ["hard", "soft"], "epochs": 20}
        makes = [out / "hard", out / "soft"]
        job = workspace.start(sandbox, "train digits", arguments, BUDGET, makes)
        path = snapshots_path(job.directory / "hard", "train")
        deadline = time.monotonic() + 120
        while not (path.is_file() and job.progress) and time.monotonic() < deadline and not job.done:
            time.sleep(0.05)
        assert not job.done, job.result()
        assert Snapshots.load(path).epochs[0] == 1
        assert job.progress["run"] == 0
        assert (job.progress["epochs"], job.progress["of"]) == (20, 40)
        job.cancel()
        assert job.wait(20)
        with pytest.raises(SandboxError, match="cancelled"):
            job.result()
        assert not job.directory.exists()
        assert list_runs(out) == ([], [])
        assert [p.name for p in workspace.directory.iterdir()] == ["runs"]
    finally:
        workspaces.close()
    assert list(tmp_path.iterdir()) == []
