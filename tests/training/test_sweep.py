from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from penviz.cli import main
from penviz.cli.sweep import OWN
from penviz.cli.train import train as train_verb
from penviz.store.activations import Activations
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, activations_path, read_run
from penviz.training import data, sweep, train
from penviz.training.data_set import DataSet
from penviz.training.progress import Stopped
from penviz.training.split_files import ExtractOptions
from penviz.training.sweep import SweepProgress
from penviz.training.train_options import TrainOptions

SHORT = {"epochs": 2, "batch_size": 64}
CPU = TrainOptions(device="cpu")
STORED = ExtractOptions(per_class=5, thumbnail_quality=0, device="cpu")


def members(out: Path, alphas: tuple[float, ...] = (0.0, 0.1), seeds: tuple[int, ...] = (0,), **more: Any):
    return sweep.plan(out, "digits", ["fc800"], alphas, seeds, (8, 8, 1), **(SHORT | more))


def digests(out: Path) -> dict[str, str]:
    return {
        str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(out.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def swept(small: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs; read it, never write into it."""
    out = tmp_path_factory.mktemp("sweep")
    assert sweep.sweep(members(out), lambda seed: small, CPU, STORED) == 0
    return out


def test_a_run_for_each_combination(tmp_path: Path) -> None:
    found = sweep.plan(
        tmp_path, "digits", ["fc800", "fc1200"], (0, 0.05, 0.1), (0, 3), (8, 8, 1), targets="others", **SHORT
    )
    names = [m.directory.name for m in found]
    assert names == [
        f"{n}-{a}-seed{s}" for s in (0, 3) for n in ("fc800", "fc1200") for a in ("0", "0.05", "0.1")
    ]
    assert len(set(names)) == 12
    for member in found:
        model, alpha, seed = member.directory.name.split("-")
        config = member.config
        assert (config.model, config.label_smoothing, f"seed{config.seed}") == (model, float(alpha), seed)
        assert config.targets == ("others" if config.label_smoothing else "hard")
    assert len(sweep.plan(tmp_path, "digits", ["fc800"] * 2, (0.1, 0.1), (1, 1), (8, 8, 1))) == 1
    with pytest.raises(RunError, match=r"Two runs would be called fc800-0\.1-seed0"):
        members(tmp_path, (0.1, 0.1000001))
    with pytest.raises(RunError, match="nothing to sweep over"):
        members(tmp_path, ())


def test_each_run_is_the_one_that_train_makes(swept: Path, small: DataSet, tmp_path: Path) -> None:
    for member in members(swept):
        alone = train.train(
            member.config, small, tmp_path / member.directory.name, TrainOptions(device="cpu")
        )
        assert read_run(alone).model_sha256 == read_run(member.directory).model_sha256
        a = Activations.load(activations_path(member.directory, "train"))
        assert len(a) == 50
        assert a.checkpoint_sha256 == read_run(member.directory).model_sha256


def test_what_is_finished_is_left_and_the_data_are_not_read(swept: Path) -> None:
    before = digests(swept)
    told: list[SweepProgress] = []

    def load(seed: int) -> DataSet:
        raise AssertionError("nothing is to do")

    assert sweep.sweep(members(swept), load, CPU, STORED, report=told.append) == 2
    assert digests(swept) == before
    assert [(m.stage, m.done, m.total) for m in told] == [("finished", 4.0, 4)] * 2


@pytest.mark.parametrize("more", [{"per_class": 8}, {"thumbnail_quality": 35}])
def test_what_is_asked_for_beyond_what_is_there_is_made(
    more: dict[str, int], swept: Path, small: DataSet, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    shutil.copytree(swept, out)
    assert sweep.sweep(members(out), lambda seed: small, CPU, replace(STORED, **more)) == 0
    run = read_run(members(out)[0].directory)
    assert len(Activations.load(activations_path(run.directory, "train"))) == 10 * more.get("per_class", 5)
    assert ("thumbnails" in run.record) == ("thumbnail_quality" in more)
    assert sweep.sweep(members(out), lambda seed: small, CPU, replace(STORED, **more)) == 2


@pytest.mark.parametrize("lost", ["activations", "model", "stale"])
def test_what_is_missing_is_made_again(lost: str, swept: Path, small: DataSet, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    shutil.copytree(swept, out)
    run = members(out)[0].directory
    if lost == "activations":
        activations_path(run, "validation").unlink()
    elif lost == "model":
        (run / MODEL_FILE).unlink()
    else:
        shutil.copy(activations_path(members(out)[1].directory, "train"), activations_path(run, "train"))
    assert sweep.sweep(members(out), lambda seed: small, CPU, STORED) == 1
    for split in ("train", "validation"):
        a, b = (Activations.load(activations_path(p / run.name, split)) for p in (swept, out))
        assert a.checkpoint_sha256 == b.checkpoint_sha256
        assert (a.features == b.features).all()


def test_stopped_anywhere_and_called_again_is_never_stopped(
    swept: Path, small: DataSet, tmp_path: Path
) -> None:
    models = {m.directory.name: read_run(m.directory).model_sha256 for m in members(swept)}
    for moment in (3, 10, 13):  # inside the first run, after its training, inside the second
        out = tmp_path / str(moment)
        asked = iter([False] * moment + [True] * 99)
        with pytest.raises(Stopped, match="same command"):
            sweep.sweep(
                members(out),
                lambda seed: small,
                replace(CPU, stopped=lambda asked=asked: next(asked)),
                STORED,
            )
        assert not all(sweep.is_trained(m) for m in members(out))
        sweep.sweep(members(out), lambda seed: small, CPU, STORED)
        assert {m.directory.name: read_run(m.directory).model_sha256 for m in members(out)} == models


def test_conflicts_are_said_before_anything_is_begun(swept: Path, small: DataSet, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    shutil.copytree(swept, out)
    with pytest.raises(RunError, match=r"fc800-0-seed0 was made with another config \(epochs\)"):
        sweep.sweep(members(out, epochs=3), lambda seed: small, CPU, STORED)
    (out / "fc800-0.2-seed0").mkdir()
    (out / "fc800-0.2-seed0" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds no run to continue"):
        sweep.sweep(members(out, (0.05, 0.2)), lambda seed: small, CPU, STORED)
    (out / "fc800-0.3-seed0").write_text("a file")
    with pytest.raises(RunError, match="is a file"):
        sweep.sweep(members(out, (0.05, 0.3)), lambda seed: small, CPU, STORED)
    assert not (out / "fc800-0.05-seed0").exists()
    assert (out / "fc800-0.2-seed0" / "notes.txt").read_text() == "mine"


def test_a_run_that_fails_is_named(small: DataSet, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="fc800-0-seed0: The loss is no longer finite"):
        sweep.sweep(members(tmp_path, lr=1e30), lambda seed: small, CPU, STORED)


def test_progress_over_all_runs(small: DataSet, tmp_path: Path) -> None:
    told: list[SweepProgress] = []
    sweep.sweep(members(tmp_path), lambda seed: small, CPU, STORED, report=told.append)
    done = [m.done for m in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].total == 4
    assert told[-1].seconds_left == 0
    assert {m.stage for m in told} == {"train", "extract", "finished"}
    assert {(m.run, m.name) for m in told} == {(1, "fc800-0-seed0"), (2, "fc800-0.1-seed0")}


def test_the_verb_takes_every_option_of_train() -> None:
    own = inspect.signature(train_verb, eval_str=True).parameters
    command = typer.main.get_command(main.application()).commands["sweep"]  # type: ignore[attr-defined]
    names = {p.name for p in command.params}
    assert set(own) - set(OWN) <= names
    configured = {f.name for f in fields(RunConfig)}
    taken = {f.name for f in fields(TrainOptions)}
    handled = {"out", "data_dir", "device", "threads", "progress", "weights"}
    lost = names & set(own) - configured - taken - handled
    assert not lost, f"penviz sweep has no use for {lost}: add it to OWN, or hand it on"


def test_the_verb(swept: Path, small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: small)
    arguments = ["sweep", "digits", "fc800", "--batch-size", "64", "--seed", "0"]
    more = ["--per-class", "5", "--no-thumbnails", "--device", "cpu", "--progress", "json"]
    out = ["--out", str(tmp_path / "out")]
    epochs = ["--epochs", "2"]
    found = CliRunner().invoke(main.application(), [*arguments, *epochs, *more, *out])
    assert found.exit_code == 0, found.output
    lines = [json.loads(line) for line in found.output.splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} == {"sweep"}
    assert lines[-1]["done"] == 4
    assert "2 runs in" in found.output
    for member in members(swept):
        mine = read_run(tmp_path / "out" / member.directory.name)
        assert mine.model_sha256 == read_run(member.directory).model_sha256
    again = CliRunner().invoke(main.application(), [*arguments, *epochs, *more, *out])
    assert "(2 were finished before)" in again.output
    for wrong, words in (
        (["--epochs", "3"], "another config (epochs)"),
        (["--label-smoothing", "1"], "Label smoothing must be at least 0 and below 1"),
        (["--model", "vgg"], "There is no network vgg"),
        (["--seed", "-1"], "The seed must be between 0"),
        (["--targets", "pair"], "--targets must be one of"),
        (["--targets", "prior", "--prior", "one"], "--prior must be numbers"),
        (["--weights", "none.pth"], "There is no file of weights none.pth"),
        (["--model", "fc1200", "--pretrained"], "sweep over one at a time"),
        (["--erasure", "3", "cat"], "There is no class cat"),
    ):
        rest = [] if "--epochs" in wrong else epochs
        bad = CliRunner().invoke(main.application(), [*arguments, *rest, *wrong, *more, *out])
        assert words in str(bad.exception)


def test_the_verb_reads_what_is_typed_as_train_does(
    small: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: small)
    shares = ",".join(["0.1"] * 10)
    arguments = ["sweep", "digits", "fc800", "--epochs", "1", "--batch-size", "64", "--seed", "0"]
    more = ["--targets", "prior", "--prior", shares, "--erasure", "3", "5", "--milestones", "0.5"]
    out = ["--per-class", "5", "--no-thumbnails", "--progress", "none", "--out", str(tmp_path)]
    found = CliRunner().invoke(main.application(), [*arguments, *more, *out])
    assert found.exit_code == 0, found.output
    hard, soft = (read_run(tmp_path / f"fc800-{alpha}-seed0") for alpha in ("0", "0.1"))
    assert (hard.config.targets, hard.config.prior) == ("hard", ())
    assert (soft.config.targets, soft.config.prior) == ("prior", (0.1,) * 10)
    assert (soft.config.milestones, soft.config.pretrained) == ((0.5,), "")
    assert "mutual_information" in soft.record["history"][0]
