"""The lines printed with a refused file are run as they stand, and what they write is read."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from external.reader.test_torch_zip import network
from torch import nn

from penviz.external.networks.weights import unpickle
from penviz.external.reader.inspection import inspect_file, read_contents
from penviz.external.reader.report_text import code_lines


class Trainer:
    """An object of one's own that a script saved beside the weights."""


def whole_module(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.save(model, path)


def module_in_an_old_file(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.save({"acc": 93.1, "net": model}, path, _use_new_zipfile_serialization=False)


def trainer_beside(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.save({"trainer": Trainer(), "run": {"state_dict": state}}, path)


def arrays(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.save({"params": {key: value.numpy() for key, value in state.items()}}, path)


def plain_pickle(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    path.write_bytes(pickle.dumps({"model": {key: value.numpy() for key, value in state.items()}}))


def script(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.jit.script(model).save(path)


def compressed(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    torch.save(state, out := io.BytesIO())
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))


def expanded(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    state["conv.bias"] = torch.full((1,), 0.25).expand(4)
    torch.save(state, path)


def quantised(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    state["fc.weight"] = torch.zeros(10, 4)
    quantised = torch.quantize_per_tensor(state["fc.weight"], 0.1, 0, torch.qint8)
    torch.save({"state_dict": {**state, "fc.weight": quantised}}, path)


def tar(path: Path, state: dict[str, torch.Tensor], model: nn.Module) -> None:
    """The form of torch 0.1: storages, tensors and a pickle that names the tensors by number."""
    key, value = "fc.weight", state["fc.weight"]
    state.clear()
    state[key] = value

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return 2 if isinstance(obj, torch.Tensor) else None

    Pickler(named := io.BytesIO(), 2).dump({key: value})
    parts = {
        "storages": pickle.dumps(1, 2)
        + pickle.dumps((1, "cpu", torch.FloatStorage), 2)
        + struct.pack("<q", value.numel())
        + value.numpy().tobytes()
        + pickle.dumps([], 2),
        "tensors": pickle.dumps(1, 2)
        + pickle.dumps((2, 1, "torch.FloatTensor"), 2)
        + struct.pack("<ii5q", 2, 0, *value.shape, *value.stride(), 0),
        "pickle": named.getvalue(),
    }
    with tarfile.open(path, "w") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


WRITERS: tuple[Callable[[Path, dict[str, torch.Tensor], nn.Module], None], ...] = (
    whole_module,
    module_in_an_old_file,
    trainer_beside,
    arrays,
    plain_pickle,
    script,
    compressed,
    expanded,
    quantised,
    tar,
)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_the_lines_write_weights_that_are_read(
    write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = network().eval()
    state = dict(model.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(tmp_path / "it's theirs.pth", state, model)
        report = inspect_file(Path("it's theirs.pth"))
        assert report.refusal
        printed = "\n".join(line.removeprefix("    ") for line in code_lines(report))
        exec(printed, {})
        if "--trust" in report.advice:
            trusted, _ = unpickle(Path("it's theirs.pth"), report)
            assert {key: value.shape for key, value in trusted.items()} == {
                k: v.shape for k, v in state.items()
            }
    contents = read_contents(Path("weights.pt"))
    assert contents.report.refusal == ""
    read = {e.key: s.read() for e, s in zip(contents.report.tensors, contents.stored, strict=True)}
    assert read.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(read[key], value.numpy(), err_msg=key)


def test_the_lines_for_onnx_write_activations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    model = network().eval()
    images = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (images,),
            "theirs.onnx",
            external_data=False,
            dynamic_shapes={"input": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    _activations("theirs.onnx", images.numpy(), model, images)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_lines_for_keras_write_activations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    layers = [keras.layers.Input((5,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential(layers)
    images = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    for name in ("theirs.keras", "theirs.h5"):
        model.save(name)
        made = run(name, images)
        scores = made["features"] @ made["weight"].T + made["bias"]
        probs = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        np.testing.assert_allclose(probs, model.predict(images, verbose=0), atol=1e-6)


def run(name: str, images: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The activations that the printed lines write."""
    report = inspect_file(Path(name))
    assert report.refusal
    exec("\n".join(report.lines), {"images": images, "labels": np.arange(len(images)) % 3})
    assert inspect_file(Path("activations.npz")).holds_activations
    return dict(np.load("activations.npz"))


def _activations(name: str, images: np.ndarray[Any, Any], model: nn.Module, batch: torch.Tensor) -> None:
    made = run(name, images)
    with torch.no_grad():
        logits = model(batch).numpy()
    np.testing.assert_allclose(made["features"] @ made["weight"].T + made["bias"], logits, atol=1e-5)
