"""Networks of others teach and are measured as those of penviz: the same logits, their own input."""

from __future__ import annotations

import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from penviz.cli.main import application
from penviz.external.importing import import_checkpoint
from penviz.external.importing.adopted_network import network_of
from penviz.external.importing.import_options import Request as ImportOptions
from penviz.store import run_activations
from penviz.store.pilots import read_pilot
from penviz.store.run_config import RunError
from penviz.store.runs import RUN_FILE, Run, read_run, write_json
from penviz.training import data, distill, evaluate, pilot, students
from penviz.training.data_set import DataSet, Split
from penviz.training.erasure import logits_of
from penviz.training.models import MODELS
from penviz.training.pilot_request import Request
from penviz.training.train_options import TrainOptions

CHOSEN = {"epochs": 1, "batch_size": 128}


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return data.load_published("digits")


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, digits: DataSet) -> tuple[Run, Run]:
    """A hard and a soft network that somebody trained on digits scaled to 0..1, brought in."""
    place, split = tmp_path_factory.mktemp("theirs"), digits.splits["train"]
    x, y = torch.from_numpy(split.images).permute(0, 3, 1, 2) / 255, torch.from_numpy(split.labels)
    made = []
    for name, alpha in (("hard", 0.0), ("soft", 0.2)):
        torch.manual_seed(0)
        network = MODELS["fc800"].build((1, 8, 8), 10)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(25):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y, label_smoothing=alpha).backward()
            optimizer.step()
        torch.save({"net": network.state_dict()}, place / f"{name}.pth")
        asked = ImportOptions(
            dataset="digits", out=place / name, preprocessing="0..1", label_smoothing=alpha, per_class=0
        )
        files = [place / f"{name}.pth"]
        made.append(
            import_checkpoint.extract_files(
                files, asked, say=lambda line: None, progress=lambda done, n, left: None
            )
        )
    return read_run(made[0]), read_run(made[1])


def logits(network: Any, split: Split) -> np.ndarray:
    return logits_of(network, evaluate.features_and_predictions(network, split, 0)[0])


def test_it_says_what_was_stored_in_the_order_of_the_names(
    teachers: tuple[Run, Run], digits: DataSet
) -> None:
    stored = run_activations.load(teachers[0])["validation"]
    network = network_of(teachers[0], digits.class_names)
    found = logits(network, digits.splits["validation"])
    np.testing.assert_allclose(found, stored.logits(), atol=1e-4)
    names = digits.class_names[::-1]
    np.testing.assert_allclose(
        logits(network_of(teachers[0], names), digits.splits["validation"]), found[:, ::-1], atol=1e-6
    )
    assert not np.allclose(found, found[:, ::-1], atol=0.1)


def test_a_change_of_the_body_stays_in_force(
    teachers: tuple[Run, Run], digits: DataSet, tmp_path: Path
) -> None:
    run = copy(teachers[0], tmp_path / "gelu")
    run.record["adopted"]["variant"] |= {"activation": "gelu"}
    write_json(run.directory / RUN_FILE, run.record)
    network = network_of(read_run(run.directory), digits.class_names)
    gc.collect()
    plain = network_of(teachers[0], digits.class_names)
    few = replace(digits.splits["validation"], images=digits.splits["validation"].images[:50])
    few = replace(few, labels=few.labels[:50], indices=few.indices[:50], hashes=few.hashes[:50])
    assert np.abs(logits(network, few) - logits(plain, few)).max() > 0.01


def copy(run: Run, out: Path) -> Run:
    shutil.copytree(run.directory, out)
    return read_run(out)


def test_a_teacher_sees_its_own_input_of_what_the_student_sees(
    teachers: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = data.load("digits")
    known = {(image / np.float32(255)).tobytes() for image in digits.splits["train"].images}
    seen: list[torch.Tensor] = []
    ask = distill.teacher_logits

    def watched(teacher: Any, batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch)
        return ask(teacher, batch)

    monkeypatch.setattr(distill, "teacher_logits", watched)
    config = students.student_config(teachers[0], "fc800", temperature=2.0, flip=False, **CHOSEN)
    out = students.distil(
        config, digits, teachers[0], tmp_path / "s", TrainOptions(device="cpu"), load=network_of
    )
    pixels = [image.permute(1, 2, 0).contiguous().numpy() for batch in seen for image in batch]
    assert len(pixels) > 1000
    assert all(image.tobytes() in known for image in pixels)
    made = read_run(out)
    assert (made.config.targets, made.config.teacher) == ("distilled", "hard")
    assert made.metrics["validation"]["accuracy"] > 0.5


def test_a_fair_test_of_two_teachers(teachers: tuple[Run, Run], tmp_path: Path) -> None:
    said: list[str] = []
    asked = Request(
        teachers, "fc800", tmp_path / "o", temperatures=(1.0,), seeds=(0,), chosen=CHOSEN, device="cpu"
    )
    found = pilot.Test(asked, said.append, network_of).run()
    assert found == read_pilot(tmp_path / "o")
    assert [row.role for row in found.rows] == ["teacher"] * 2 + ["distilled"] * 2 + ["alone"] * 3
    assert any("hard may have been trained on the validation images" in line for line in said)
    for run, row in zip(teachers, found.rows, strict=False):
        assert row.accuracy == {"validation": pytest.approx(run.metrics["validation"]["accuracy"])}
        stored = run_activations.load(run)["train"]
        p = np.exp(stored.logits())
        p /= p.sum(1, keepdims=True)
        gamma = np.mean([1 - p[i, y] for i, y in enumerate(stored.labels)]) * 10 / 9
        (student,) = [one for one in found.rows if one.teacher == run.name]
        assert student.gamma == pytest.approx(gamma, rel=1e-4)


def erasure(*words: str) -> None:
    application()(["erasure", *words, "--device", "cpu"], standalone_mode=False)


def test_erasure_is_that_of_its_logits(
    teachers: tuple[Run, Run], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = copy(teachers[0], tmp_path / "hard")
    erasure(str(run.directory), "--per-class", "30")
    said = capsys.readouterr()
    assert "penviz does not know how hard was augmented: state --pad and --flip, or" in said.err
    values = json.loads((run.directory / "erasure.json").read_text())["values"]
    stored = run_activations.load(run)
    for split in ("train", "validation"):
        z, y = stored[split].logits(), stored[split].labels
        spread = np.mean([np.delete(row, label).std() for row, label in zip(z, y, strict=True)])
        assert values[f"{split}_wrong_logit_spread"] == pytest.approx(spread, rel=1e-4)
    plain = values["mutual_information"]
    erasure(str(run.directory), "--per-class", "30", "--pad", "1")
    record = json.loads((run.directory / "erasure.json").read_text())
    assert record["augmented"]
    assert record["values"]["mutual_information"] < plain
    assert "augmented: state" not in capsys.readouterr().err


def test_refusals(teachers: tuple[Run, Run], tmp_path: Path) -> None:
    hard, names = teachers[0], teachers[0].class_names
    with pytest.raises(RunError, match="hard knows other classes"):
        network_of(hard, [*names[1:], "ten"])
    bare = copy(hard, tmp_path / "bare")
    bare.record["adopted"]["preprocessing"] = None
    with pytest.raises(RunError, match="bare holds activations alone"):
        network_of(bare, names)
    code = copy(hard, tmp_path / "code")
    with pytest.raises(RunError, match=r"built by net\.py:Net: code of your own runs with --trust only"):
        network_of(replace(code, config=replace(code.config, model="net.py:Net")), names)
    with (code.directory / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")
    with pytest.raises(RunError, match=r"not the file that run\.json describes"):
        network_of(code, names)
    other = replace(hard, record=hard.record | {"source_id": "0" * 16})
    with pytest.raises(RunError, match="hard was measured on other data than this digits"):
        students.check_fit(other, students.student_config(other, "fc800"), data.load("digits"))
    few = replace(hard, config=replace(hard.config, dataset="cifar10-1000"))
    with pytest.raises(RunError, match="no training images: name the whole data, --dataset cifar10"):
        students.student_config(few, "fc800")
    config = replace(hard.config, targets="unknown", label_smoothing=None)
    with pytest.raises(RunError, match="hard has unknown targets"):
        Request((replace(hard, config=config),), "fc800", tmp_path / "o")
