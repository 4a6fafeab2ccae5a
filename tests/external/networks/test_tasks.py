"""The app's tasks through a real sandbox: from a file to a run, with what the network itself computes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from penviz.external.reader.report import FileReport
from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.sandbox import Sandbox
from penviz.external.sandbox.workspace import Workspace, Workspaces
from penviz.store.activations import Activations
from penviz.store.runs import RUN_FILE, activations_path
from penviz.training import models
from penviz.training.checkpoints import write_tensors
from penviz.training.network import Network

BUDGET = Budget(memory_bytes=1 << 30, cpu_seconds=120, wall_seconds=300)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspaces = Workspaces(tmp_path)
    yield workspaces.open()
    workspaces.close()
    assert list(tmp_path.iterdir()) == []


def ask(sandbox: Sandbox, workspace: Workspace, task: str, **arguments: Any) -> dict[str, Any]:
    makes = [workspace.directory / arguments["out"]] if "out" in arguments else []
    return workspace.start(sandbox, task, arguments, BUDGET, makes).result()


def network() -> Network:
    torch.manual_seed(0)
    return models.build("resnet20", (3, 32, 32), 4).eval()


def uploaded(workspace: Workspace, content: bytes, name: str = "theirs.pth") -> dict[str, str]:
    upload = workspace.keep(name, io.BytesIO(content), 1 << 30)
    return {"path": str(upload.path), "name": upload.name}


def saved(stored: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(stored, buffer)
    return buffer.getvalue()


def images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (n, 32, 32, 3), np.uint8), np.arange(n) % 4


@pytest.fixture
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    (x, y), (x_test, y_test) = images(40, 1), images(24, 2)
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test, class_names=list("abcd"))
    return path


def test_from_a_checkpoint_to_a_run(sandbox: Sandbox, workspace: Workspace, data_file: Path) -> None:
    theirs = network()
    wrapped = {"state_dict": {f"module.{k}": v for k, v in theirs.state_dict().items()}, "epoch": 3}
    file = uploaded(workspace, saved(wrapped))

    report = FileReport.from_json(ask(sandbox, workspace, "inspect", **file))
    assert (report.name, report.kind, report.refusal) == ("theirs.pth", "torch zip", "")
    assert (report.n_classes, report.prefix, report.wrapper) == (4, "module.", ("state_dict",))

    candidates = ask(sandbox, workspace, "match", **file)["candidates"]
    assert "resnet20" in [c["name"] for c in candidates if c["complete"]]

    asked = {**file, "model": "resnet20", "dataset": str(data_file)}
    checked = ask(sandbox, workspace, "check", **asked)
    assert checked["class_names"] == list("abcd")
    row = checked["rows"][0]
    assert {"preprocessing", "variant", "accuracy", "nll", "n"} <= row.keys()

    out = workspace.directory / "run-1"
    setup = {"preprocessing": row["preprocessing"], "variant": row["variant"]}
    job = workspace.start(sandbox, "adopt", asked | setup | {"out": "run-1", "expected": 0.9}, BUDGET, [out])
    assert job.result() == {"quick_look": False}
    assert job.progress["done"] == job.progress["of"] == 64
    adopted = json.loads((out / RUN_FILE).read_text())["adopted"]
    assert (adopted["file"], adopted["accuracy"]["expected"]) == ("theirs.pth", 0.9)
    assert checked["split"] == "test"
    assert adopted["unseen"] == ["test"]
    held = Activations.load(activations_path(out, "test"))

    from penviz.external.evidence.preprocessing import Preprocessing
    from penviz.external.importing.adopt import prove_on
    from penviz.external.importing.adopted_activations import forward
    from penviz.external.importing.choices import Choices
    from penviz.external.networks.variants import Variant

    choices = Choices("resnet20", Preprocessing.from_json(row["preprocessing"]), Variant(**row["variant"]))
    x = np.load(data_file)["x_test"][held.indices]
    features, scores = forward(theirs, choices, prove_on(theirs, choices, x), x)
    np.testing.assert_allclose(held.features, features, rtol=1e-4, atol=1e-5)
    assert held.predictions.tolist() == scores.argmax(1).tolist()
    assert sorted(p.name for p in workspace.directory.iterdir()) == sorted([Path(file["path"]).name, "run-1"])


def test_what_a_file_of_penviz_says_is_tried_first(
    sandbox: Sandbox, workspace: Workspace, data_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Initial weights do equally badly with everything: the stated crop stands first, and the tie is kept."""
    path = tmp_path_factory.mktemp("own") / "model.safetensors"
    write_tensors(path, network().state_dict(), {"config": {"model": "resnet20", "crop": 24}})
    asked = {**uploaded(workspace, path.read_bytes(), "model.safetensors"), "model": "resnet20"}
    asked["dataset"] = str(data_file)
    checked = ask(sandbox, workspace, "check", **asked)
    row = checked["rows"][0]
    assert row["describe"] == "crop 24; recipe of penviz: each image standardised"
    assert row["body"] == "as built"
    assert "images cannot tell" in checked["undecided"]
    setup = {key: row[key] for key in ("preprocessing", "variant")} | {"undecided": checked["undecided"]}
    out = workspace.directory / "run-1"
    ask(sandbox, workspace, "adopt", **asked, **setup, out="run-1")
    kept = json.loads((out / RUN_FILE).read_text())["adopted"]["accuracy"]
    assert (kept["undecided"], kept["warning"]) == (checked["undecided"], "")


def test_a_run_that_is_cancelled_half_way_leaves_nothing(
    sandbox: Sandbox, workspace: Workspace, data_file: Path
) -> None:
    file = uploaded(workspace, saved(network().state_dict()))
    asked = {**file, "model": "resnet20", "dataset": str(data_file), "preprocessing": {"name": "0..1"}}
    job = workspace.start(sandbox, "adopt", asked | {"out": "run-1"}, BUDGET, [workspace.directory / "run-1"])
    while not job.progress and not job.done:
        job.wait(0.01)
    job.cancel()
    with pytest.raises(SandboxError, match="cancelled"):
        job.result()
    assert [p.name for p in workspace.directory.iterdir()] == [Path(file["path"]).name]


def test_a_network_that_does_not_fit_is_refused(
    sandbox: Sandbox, workspace: Workspace, data_file: Path
) -> None:
    file = uploaded(workspace, saved(network().state_dict()))
    with pytest.raises(SandboxError) as caught:
        ask(sandbox, workspace, "check", **file, model="tutorial_alexnet", dataset=str(data_file))
    assert caught.value.reason == "refused"
    weights = network().state_dict()
    weights["head.bias"] = weights["head.bias"] / 0
    file = uploaded(workspace, saved(weights))
    with pytest.raises(SandboxError, match="NaN or infinity in"):
        ask(sandbox, workspace, "check", **file, model="resnet20", dataset=str(data_file))
    with pytest.raises(SandboxError, match=r"[Pp]ickle") as caught:
        ask(sandbox, workspace, "match", **uploaded(workspace, saved(network())))
    assert caught.value.advice


def test_from_arrays_to_a_run(sandbox: Sandbox, workspace: Workspace) -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(30, 5)).astype(np.float32), np.arange(30) % 3
    buffer = io.BytesIO()
    np.savez(buffer, features=features, labels=labels, weight=random.normal(size=(3, 5)).astype(np.float32))
    path = uploaded(workspace, buffer.getvalue(), "theirs.npz")["path"]
    out = workspace.directory / "run-1"
    answer = ask(sandbox, workspace, "activations", files={"train": path}, out="run-1", dataset="theirs")
    assert answer == {}
    np.testing.assert_array_equal(Activations.load(activations_path(out, "train")).features, features)
    before = (out / RUN_FILE).read_bytes()
    ask(sandbox, workspace, "activations", files={"train": path}, out="run-1", dataset="again")  # gives way
    assert (out / RUN_FILE).read_bytes() != before
    later = workspace.directory / "run-2"
    job = workspace.start(sandbox, "activations", {"files": {"train": path}, "out": "run-2"}, BUDGET, [later])
    later.mkdir()  # made by somebody else meanwhile
    with pytest.raises(SandboxError, match=r"exists already\.$") as caught:
        job.result()
    assert caught.value.reason == "refused"
    assert list(later.iterdir()) == []


def test_from_a_zip_of_images_to_a_folder(sandbox: Sandbox, workspace: Workspace) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for split in ("train", "val"):
            for name in ("cat", "dog"):
                png = io.BytesIO()
                Image.fromarray(images(1, 3)[0][0]).save(png, "PNG")
                archive.writestr(f"pets/{split}/{name}/1.png", png.getvalue())
    path = uploaded(workspace, buffer.getvalue(), "pets.zip")["path"]
    out = workspace.directory / "folder-1"
    answer = ask(sandbox, workspace, "folder", path=path, out="folder-1")
    assert tuple(answer["class_names"]) == ("cat", "dog")
    assert (out / "train/cat/1.png").is_file()


def test_a_folder_of_images_is_read_in_the_sandbox(
    sandbox: Sandbox, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No thread may start there, and a data directory may be made of links."""
    place = tmp_path_factory.mktemp("disk") / "images"
    (x, y), (x_test, y_test) = images(40, 1), images(24, 2)
    for part, pixels, labels in (("train", x, y), ("val", x_test, y_test)):
        for i, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
            (place / part / "abcd"[label]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / part / "abcd"[label] / f"{i}.png")
    linked = tmp_path_factory.mktemp("data")
    for part in ("train", "val"):
        (linked / part).symlink_to(place / part)
    file = uploaded(workspace, saved(network().state_dict()))
    asked = {**file, "model": "resnet20", "dataset": str(linked), "image_size": 32}
    checked = ask(sandbox, workspace, "check", **asked)
    assert checked["class_names"] == list("abcd")
    elsewhere = {**asked, "dataset": "cifar10", "data_dir": str(tmp_path_factory.mktemp("empty"))}
    with pytest.raises(SandboxError):
        ask(sandbox, workspace, "check", **elsewhere)
