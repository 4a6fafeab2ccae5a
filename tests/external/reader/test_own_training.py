"""What a file says of a training by penviz is text that anybody can write: only plain values get through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.own_training import stated_training
from penviz.external.reader.report import FileReport
from penviz.store.run_config import RunConfig
from penviz.training.checkpoints import write_tensors

STATED = {"model": "resnet20", "dataset": "cifar100", "crop": 32, "image_size": 32}


def weights() -> dict[str, torch.Tensor]:
    return {"features.0.weight": torch.zeros(4, 3, 3, 3), "head.weight": torch.zeros(5, 4)}


def test_what_penviz_writes_is_what_is_read(tmp_path: Path) -> None:
    config = RunConfig(dataset="cifar100", model="resnet20", crop=24, image_size=48)
    write_tensors(tmp_path / "model.safetensors", weights(), {"config": config.to_json()})
    report = inspect_file(tmp_path / "model.safetensors")
    pixels = {"model": "resnet20", "dataset": "cifar100", "crop": 24, "image_size": 48}
    assert report.training == pixels | {"seed": 0, "hold_out": 0}
    assert report.notes == ("The file says that penviz trained it: resnet20 on cifar100.",)
    assert FileReport.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[1]", "[" * 100_000, '{"model": "resnet20"}'),
        *('{"config": 3}', '{"config": {"crop": 24}}', '{"config": {"model": "\ud800"}}'),
        '{"config": {"model": "a", "model": "b"}}',
        f'{{"config": {{"model": "resnet20", "crop": {"9" * 5000}}}}}',
    ],
)
def test_other_text_says_nothing(text: str) -> None:
    assert stated_training({"penviz": text}) == {}
    assert stated_training({"format": "pt"}) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("crop", bad) for bad in (-1, 1025, True, 24.0, "24", None, [24])),
        *(("image_size", bad) for bad in (0, 10**9, "32", {})),
        *(("dataset", bad) for bad in ("", "x" * 81, "a\nb", "\x1b[2J", 3)),
    ],
)
def test_a_value_that_penviz_does_not_write_is_left_out(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file(weights(), path, metadata={"penviz": json.dumps({"config": STATED | {key: value}})})
    report = inspect_file(path)
    assert report.refusal == ""
    assert report.training == {k: v for k, v in STATED.items() if k != key}
