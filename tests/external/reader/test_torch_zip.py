"""Checkpoints written by torch itself: what the static reader says equals what torch loads, bit for bit."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from penviz.external.reader.inspection import inspect_file, read_contents
from penviz.external.reader.report import FileReport


def network(n_classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3),
            norm=nn.BatchNorm2d(4),
            flat=nn.Flatten(),
            fc=nn.Linear(4, n_classes),
        )
    )


def bits(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """The bytes of a tensor in C order."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()


def same_as_torch(path: Path, expected: dict[str, torch.Tensor]) -> FileReport:
    """Keys, shapes, dtypes and every bit of the tensors are those of torch."""
    contents = read_contents(path)
    report = contents.report
    assert report.refusal == ""
    assert [e.key for e in report.tensors] == list(expected)
    for entry, stored, tensor in zip(report.tensors, contents.stored, expected.values(), strict=True):
        assert entry.shape == tuple(tensor.shape)
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert entry.n_bytes == tensor.numel() * tensor.element_size()
        assert (stored.read().reshape(-1).view(np.uint8) == bits(tensor)).all()
    return report


def test_a_plain_state_dict(tmp_path: Path) -> None:
    model = network()
    torch.save(model.state_dict(), tmp_path / "a.pt")
    report = same_as_torch(tmp_path / "a.pt", dict(model.state_dict()))
    assert report.kind == "torch zip"
    assert report.n_parameters == sum(p.numel() for p in model.parameters())
    assert (report.n_classes, report.wrapper, report.prefix) == (10, (), "")
    assert report.globals == (
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch.FloatStorage",
        "torch.LongStorage",
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_that_torch_writes(tmp_path: Path, protocol: int) -> None:
    state = dict(network().state_dict())
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "a.pt", pickle_protocol=protocol)
    assert same_as_torch(tmp_path / "a.pt", state).extras == {"epoch": "3"}


DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.bool),
    *(torch.complex64, torch.complex128),
]


def test_dtypes_views_and_odd_shapes(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = {
        str(dtype).removeprefix("torch."): torch.randint(0, 2, (2, 3), generator=generator).to(dtype)
        for dtype in DTYPES
    }
    base = torch.randn(6, 8, generator=generator)
    tensors |= {
        "transposed": base.T,
        "part": base[1:4, ::2],
        "expanded within": torch.randn(12, generator=generator).as_strided((3, 4), (2, 1)),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "parameter": nn.Parameter(base[0]),
    }
    torch.save(tensors, tmp_path / "a.pt")
    same_as_torch(tmp_path / "a.pt", tensors)


PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "backbone.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_are_undone(tmp_path: Path, prefix: str) -> None:
    state = dict(network().state_dict())
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "a.pt")
    report = same_as_torch(tmp_path / "a.pt", state)
    assert report.prefix == prefix
    assert [e.stored_key for e in report.tensors] == [prefix + key for key in state]


@pytest.mark.parametrize("prefix", ["cnn.", "module.student.", "1."])
def test_an_attribute_of_any_name_is_undone(tmp_path: Path, prefix: str) -> None:
    state = {"conv1.weight": torch.ones(2, 3, 1, 1), "fc.weight": torch.ones(4, 2), "fc.bias": torch.ones(4)}
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "a.pt")
    report = same_as_torch(tmp_path / "a.pt", state)
    assert (report.prefix, report.n_classes) == (prefix, 4)


@pytest.mark.parametrize("keys", [("fc.weight", "fc.bias"), ("classifier.0.weight", "classifier.2.weight")])
def test_a_part_of_the_network_is_no_prefix(tmp_path: Path, keys: tuple[str, ...]) -> None:
    state = {key: torch.ones(3, 3) for key in keys}
    torch.save(state, tmp_path / "a.pt")
    assert same_as_torch(tmp_path / "a.pt", state).prefix == ""


def test_the_state_of_an_optimizer_is_no_network(tmp_path: Path) -> None:
    model = nn.Linear(4, 3)  # two tensors; its Adam state has three for each of them
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    for content in (optimizer.state_dict(), {"optimizer": optimizer.state_dict(), "epoch": 3}):
        torch.save(content, tmp_path / "a.pt")
        assert "the state of an optimizer and no weights" in inspect_file(tmp_path / "a.pt").refusal
    torch.save({"optimizer": optimizer.state_dict(), "best": model.state_dict()}, tmp_path / "b.pt")
    assert same_as_torch(tmp_path / "b.pt", model.state_dict()).wrapper == ("best",)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_what_is_no_dense_tensor_is_named(tmp_path: Path) -> None:
    torch.save({"w": np.ones((3, 3))}, tmp_path / "a.pt")
    assert inspect_file(tmp_path / "a.pt").refusal == "The file holds arrays of NumPy in place of tensors."
    torch.save({"w": torch.quantize_per_tensor(torch.ones(3, 3), 0.1, 0, torch.qint8)}, tmp_path / "b.pt")
    assert "tensors of a kind that penviz does not read" in inspect_file(tmp_path / "b.pt").refusal
    torch.save({"w": torch.ones(300)}, tmp_path / "c.pt")
    (tmp_path / "c.pt").write_bytes((tmp_path / "c.pt").read_bytes()[:-100])
    assert inspect_file(tmp_path / "c.pt").advice == "Copy or download it again."


def test_a_prefix_that_one_key_lacks_stays(tmp_path: Path) -> None:
    state = {"model.a": torch.ones(2), "model.b": torch.ones(2), "head.weight": torch.ones(3, 2)}
    torch.save(state, tmp_path / "a.pt")
    assert same_as_torch(tmp_path / "a.pt", state).prefix == ""


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", "net", "ema", "model_ema"])
def test_wrappers_are_undone_and_what_lies_beside_is_told(tmp_path: Path, wrapper: str) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3, 3, 3)).sum().backward()
    optimizer.step()
    state = dict(model.state_dict())
    checkpoint = {
        "args": argparse.Namespace(lr=0.1, arch="tiny", out=None, sizes=[1, 2]),
        "optimizer": optimizer.state_dict(),
        wrapper: {f"module.{key}": value for key, value in state.items()},
        "epoch": 90,
        "best": np.float64(93.25),
        "seen": np.int64(7),
        "history": list(range(1000)),
        "path": Path("runs/a"),
        "mean": np.arange(3.0),
    }
    torch.save(checkpoint, tmp_path / "a.pt")
    report = same_as_torch(tmp_path / "a.pt", state)
    assert (report.wrapper, report.prefix) == ((wrapper,), "module.")
    assert report.extras["args"] == "Namespace(lr=0.1, arch=tiny, out=None, sizes=[2 items])"
    assert report.extras["epoch"] == "90"
    assert report.extras["best"] == "93.25"
    assert report.extras["seen"] == "7"
    assert report.extras["history"].endswith("1,000 in all]")
    assert report.extras["path"] == "runs/a"
    assert any("optimizer (18)" in note for note in report.notes)
    assert "argparse.Namespace" in report.globals


def test_the_model_is_taken_before_its_average(tmp_path: Path) -> None:
    model = network()
    average = torch.optim.swa_utils.AveragedModel(model)
    torch.save({"ema": average.state_dict(), "model": model.state_dict()}, tmp_path / "a.pt")
    assert inspect_file(tmp_path / "a.pt").wrapper == ("model",)
    torch.save({"ema": average.state_dict()}, tmp_path / "b.pt")
    report = same_as_torch(tmp_path / "b.pt", dict(model.state_dict()))
    assert report.prefix == "module."
    assert "n_averaged" in report.notes[0]


def test_not_finite_weights_are_named(tmp_path: Path) -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64):
        tensors = {f"{bad}": torch.ones(5, dtype=dtype) for bad in ("nan", "inf", "-inf", "good")}
        for bad in ("nan", "inf", "-inf"):
            tensors[bad][3] = float(bad)
        tensors["most"] = torch.full((3,), torch.finfo(dtype).max, dtype=dtype)
        tensors["strided"] = tensors["nan"][::3]
        tensors["between"] = tensors["nan"][::2]
        torch.save(tensors, tmp_path / "a.pt")
        assert inspect_file(tmp_path / "a.pt").not_finite == ("nan", "inf", "-inf", "strided")


def test_whole_modules_scripts_and_exports_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = network().eval()
    torch.save(model, tmp_path / "whole.pt")
    with pytest.warns((FutureWarning, DeprecationWarning)):
        torch.jit.trace(model, torch.ones(1, 3, 3, 3)).save(tmp_path / "script.pt")
    torch.export.save(torch.export.export(model, (torch.ones(1, 3, 3, 3),)), tmp_path / "a.pt2")
    reports = {p.stem: inspect_file(p) for p in tmp_path.iterdir()}
    kinds = {"whole": "torch zip", "script": "TorchScript", "a": "pt2"}
    assert {name: r.kind for name, r in reports.items()} == kinds
    for report in reports.values():
        assert report.refusal
        assert report.lines[-1] == 'torch.save(weights, "weights.pt")'
    assert "torch.nn.modules.linear.Linear" in reports["whole"].globals
    exec("\n".join(reports["a"].lines), {})
    written = torch.load(tmp_path / "weights.pt")
    assert written.keys() == model.state_dict().keys()
    assert all(torch.equal(value, written[key]) for key, value in model.state_dict().items())
    same_as_torch(tmp_path / "weights.pt", written)


def test_an_expanded_tensor_is_refused_and_its_copy_is_not(tmp_path: Path) -> None:
    bomb = torch.ones(1).expand(10**6, 10**6)
    torch.save({"w": bomb}, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < 5000
    assert "larger than its storage" in inspect_file(tmp_path / "a.pt").refusal
    torch.save({"w": torch.ones(1).expand(4).contiguous()}, tmp_path / "b.pt")
    assert inspect_file(tmp_path / "b.pt").refusal == ""


def test_files_without_checksums_and_damage(tmp_path: Path) -> None:
    state = dict(network().state_dict())
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert any("checksum" in note for note in same_as_torch(tmp_path / "a.pt", state).notes)
    torch.save(state, tmp_path / "b.pt")
    data = bytearray((tmp_path / "b.pt").read_bytes())
    at = data.index(bits(state["fc.weight"]).tobytes())
    data[at + 5] ^= 1
    (tmp_path / "b.pt").write_bytes(data)
    assert "checksum" in inspect_file(tmp_path / "b.pt").refusal
