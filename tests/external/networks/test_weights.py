"""Files as other people write them give the activations of the plain state dict; a misfit is shown."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from penviz.external.evidence import head
from penviz.external.networks import architectures, weights
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import Refused
from penviz.store.run_config import RunError

MODEL = "resnet20"


def trained_like(seed: int = 0) -> nn.Module:
    """A network whose running statistics are not the initial ones."""
    torch.manual_seed(seed)
    network = architectures.build(MODEL, 10).train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(8, 3, 16, 16))
        for parameter in network.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    return network.eval()


def optimizer_of(network: nn.Module) -> dict[str, Any]:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    network.load_state_dict(trained_like().state_dict())  # the step is undone, its state is kept
    return optimizer.state_dict()


def distributed(network: nn.Module, root: Path) -> dict[str, Tensor]:
    store = root / "store"
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    try:
        return nn.parallel.DistributedDataParallel(network).state_dict()
    finally:
        torch.distributed.destroy_process_group()


def shards(state: dict[str, Tensor], root: Path) -> Path:
    """model.safetensors.index.json and three files, as large models are stored."""
    keys, places = list(state), {}
    for i in range(3):
        name = f"model-{i + 1:05}-of-00003.safetensors"
        part = {key: state[key].contiguous() for key in keys[i::3]}
        save_file(part, root / name)
        places |= dict.fromkeys(part, name)
    index = root / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


def saved(content: Any, root: Path) -> Path:
    torch.save(content, root / "theirs.pth")
    return root / "theirs.pth"


def safetensors(state: dict[str, Tensor], root: Path) -> Path:
    save_file({k: v.contiguous() for k, v in state.items()}, root / "theirs.safetensors")
    return root / "theirs.safetensors"


def prefixed(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in network.state_dict().items()}


def half(network: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in network.state_dict().items()}


OPTIONS = argparse.Namespace(arch="resnet20", lr=0.1, milestones=[50, 75], name=None)

FILES: dict[str, Callable[[nn.Module, Path], Path]] = {
    "plain": lambda n, root: saved(n.state_dict(), root),
    "state_dict beside epoch": lambda n, root: saved({"state_dict": n.state_dict(), "epoch": 90}, root),
    "net beside accuracy": lambda n, root: saved({"net": n.state_dict(), "acc": 93.1, "epoch": 3}, root),
    "model, optimizer, options": lambda n, root: saved(
        {"model": n.state_dict(), "optimizer": optimizer_of(n), "args": OPTIONS, "best": 0.9}, root
    ),
    "nested twice": lambda n, root: saved({"checkpoint": {"model_state_dict": n.state_dict()}}, root),
    "module. prefix": lambda n, root: saved({"state_dict": prefixed("module.", n)}, root),
    "DDP": lambda n, root: saved({"model": distributed(n, root)}, root),
    "compiled": lambda n, root: saved(torch.compile(n).state_dict(), root),  # type: ignore[attr-defined]
    "DDP of compiled": lambda n, root: saved(prefixed("module._orig_mod.", n), root),
    "Lightning": lambda n, root: saved({"state_dict": prefixed("model.", n), "hyper_parameters": {}}, root),
    "safetensors": lambda n, root: safetensors(n.state_dict(), root),
    "safetensors with prefix": lambda n, root: safetensors(prefixed("module.", n), root),
    "shards, by index": lambda n, root: shards(n.state_dict(), root),
    "shards, by directory": lambda n, root: shards(n.state_dict(), root).parent,
    "float16": lambda n, root: saved({"state_dict": half(n, torch.float16)}, root),
    "bfloat16": lambda n, root: safetensors(half(n, torch.bfloat16), root),
    "float64": lambda n, root: saved(half(n, torch.float64), root),
}


def activations(network: nn.Module) -> Tensor:
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    found = head.prove_head(network, images)
    assert isinstance(found, head.HeadProof)
    return torch.cat([torch.cat(head.features_and_scores(network, found, images), 1)])


@pytest.mark.parametrize("kind", FILES)
def test_every_style_gives_the_same_activations(kind: str, tmp_path: Path) -> None:
    network = trained_like()
    path = FILES[kind](network, tmp_path)
    report = inspect_file(path)
    assert report.refusal == ""
    assert report.n_classes == 10
    found = architectures.candidates(report.tensors, report.n_classes)
    assert [c.name for c in found if c.complete] == [MODEL]

    read = weights.read_weights(path, report)
    rebuilt = architectures.build(MODEL, 10, architectures.shapes_of(report.tensors))
    weights.load_strict(rebuilt, read, MODEL)
    plain = trained_like()
    if kind in ("float16", "bfloat16"):
        plain.load_state_dict({k: v.float() for k, v in half(plain, getattr(torch, kind)).items()})
        assert not torch.equal(activations(plain), activations(trained_like()))  # rounding is seen here
    assert torch.equal(activations(rebuilt), activations(plain))
    assert all(t.dtype == torch.float32 for t in read.values() if t.is_floating_point())


def test_a_mismatch_is_a_readable_diff(tmp_path: Path) -> None:
    state = trained_like().state_dict()
    state["head.weight"] = torch.zeros(7, 64)
    state["extra.weight"] = state.pop("features.0.weight")
    path = saved(state, tmp_path)
    read = weights.read_weights(path, inspect_file(path))
    with pytest.raises(RunError) as caught:
        weights.load_strict(architectures.build(MODEL, 10), read, MODEL)
    sentence, *lines = str(caught.value).splitlines()
    assert (
        sentence
        == f"The weights do not fit resnet20: {len(state) - 2} of {len(state)} keys and shapes match."
    )
    assert [line.split(":")[0].strip() for line in lines] == [
        "~ head.weight",
        "- features.0.weight",
        "+ extra.weight",
    ]
    assert "(7, 64) in the file, (10, 64) in the network" in lines[0]


def test_nothing_is_loaded_that_the_report_refuses(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "canary",))

    path = saved({"state_dict": trained_like().state_dict(), "extra": Canary()}, tmp_path)
    report = inspect_file(path)
    assert report.refusal
    with pytest.raises(Refused) as caught:
        weights.read_weights(path, report)
    assert str(caught.value) == report.refusal
    assert not (tmp_path / "canary").exists()
    read, _ = weights.unpickle(path, report)
    assert (tmp_path / "canary").exists()  # so the canary works
    assert set(read) == set(trained_like().state_dict())


@pytest.mark.parametrize("old", [False, True])
def test_a_whole_module_is_read_with_trust_only(old: bool, tmp_path: Path) -> None:
    network = nn.DataParallel(trained_like())
    path = tmp_path / "theirs.pth"
    torch.save({"model": network, "epoch": 3}, path, _use_new_zipfile_serialization=not old)
    report = inspect_file(path)
    with pytest.raises(Refused):
        weights.read_weights(path, report)
    read, found = weights.unpickle(path, report)
    assert set(read) == set(trained_like().state_dict())
    assert (found.refusal, found.prefix, found.n_classes, found.not_finite) == ("", "module.", 10, ())
    assert {e.key: e.shape for e in found.tensors} == {k: tuple(t.shape) for k, t in read.items()}
    complete = [c.name for c in architectures.candidates(found.tensors, found.n_classes) if c.complete]
    assert complete == [MODEL]


def test_a_pickle_that_fails_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    path.write_bytes(b"\x80\x02cno_such_module\nThing\n)R.")
    with pytest.raises(RunError, match=r"old\.pth cannot be unpickled: No module named 'no_such_module'"):
        weights.unpickle(path, inspect_file(path))


def test_arrays_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    """What inspection calls harmless is read: NumPy's arrays stop torch's own weights-only loading."""
    state = trained_like().state_dict()
    path = saved({"state_dict": state, "curve": np.arange(3.0), "best": np.float64(0.9)}, tmp_path)
    report = inspect_file(path)
    assert report.refusal == ""
    read = weights.read_weights(path, report)
    assert all(torch.equal(read[key], state[key]) for key in state)


def test_a_file_that_changed_since_is_one_sentence(tmp_path: Path) -> None:
    path = saved(trained_like().state_dict(), tmp_path)
    report = inspect_file(path)
    for change in (path.read_bytes()[:1000], b""):
        path.write_bytes(change)
        with pytest.raises(RunError, match=r"theirs\.pth has changed since it was inspected"):
            weights.read_weights(path, report)
