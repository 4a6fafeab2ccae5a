"""Networks of the user's own: any that torch runs, from a .py file, with a preprocessing that is stated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import coloured_digits

from penviz.external.importing import import_checkpoint
from penviz.external.importing.import_options import Request
from penviz.store.run_config import RunError
from penviz.store.runs import Run, read_run

NETWORKS = '''
import torch
from torch import nn
from torch.nn import functional as F


class Tutorial(nn.Module):
    """`view(-1, 1024)`: other sizes run, or give more rows than images."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(1024, 32)
        self.fc2 = nn.Linear(32, num_classes)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc2(F.relu(self.fc1(x.view(-1, 1024))))


class Grey(nn.Module):
    """One channel, and `view` after the stem."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(1024, 10)

    def forward(self, x):
        x = x.view(x.size(0), 1, -1).view(x.size(0), 1, 16, 16)
        return self.fc(self.conv(x).view(-1, 1024))


class Mlp(nn.Module):
    """Two layers and no convolution."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(768, 40), nn.Linear(40, 10)

    def forward(self, x):
        return self.b(torch.relu(self.a(x.view(-1, 768))))


class Small(nn.Module):
    """A convolution as its last layer."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 10, 3))

    def forward(self, x):
        return self.body(x).mean((2, 3))
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of networks, and images of 16 x 16 pixels."""
    path = tmp_path_factory.mktemp("own")
    (path / "networks.py").write_text(NETWORKS)
    images, labels = coloured_digits()
    parts = {
        "x_train": images[:200],
        "y_train": labels[:200],
        "x_test": images[200:300],
        "y_test": labels[200:300],
    }
    np.savez(path / "pictures.npz", class_names=np.array(list("0123456789")), **parts)
    return path


def extracted(place: Path, name: str, out: Path, **more: Any) -> tuple[Run, list[str]]:
    scope: dict[str, Any] = {}
    exec((place / "networks.py").read_text(), scope)
    torch.manual_seed(0)
    torch.save(scope[name]().state_dict(), out.with_suffix(".pth"))
    said: list[str] = []
    request = Request(
        **{"model": f"{place / 'networks.py'}:{name}", "dataset": str(place / "pictures.npz")} | more,
        out=out,
        thumbnail_quality=0,
    )
    path = import_checkpoint.extract_files(
        [out.with_suffix(".pth")], request, say=said.append, progress=lambda done, n, left: None
    )
    return read_run(path), said


@pytest.mark.parametrize("name", ["Tutorial", "Grey", "Mlp", "Small"])
def test_networks_of_tutorials_run(name: str, place: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run, _ = extracted(place, name, tmp_path / name.lower())
    assert run.splits() == ["train", "test"]
    assert run.record["adopted"]["preprocessing"]["size"] == 0  # as stored: at 224 pixels they do not run


def test_a_stated_preprocessing_is_taken(place: Path, tmp_path: Path) -> None:
    more = {"mean": (0.5, 0.4, 0.3), "std": (0.2,) * 3, "pixels": "0..1"}
    run, said = extracted(place, "Small", tmp_path / "stated", **more)
    way = run.record["adopted"]["preprocessing"]
    assert (way["mean"], way["std"], way["scaling"]) == ([0.5, 0.4, 0.3], [0.2] * 3, "0..1")
    assert not any(line.startswith("Trying") for line in said)
    one, _ = extracted(place, "Small", tmp_path / "one", mean=(128.0,), std=(64.0,), pixels="0..255")
    assert one.record["adopted"]["preprocessing"]["mean"] == [128.0] * 3


def test_dead_ends_name_the_way_out(place: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="one number a channel: 3 here"):
        extracted(place, "Small", tmp_path / "a", mean=(0.5, 0.5), std=(1.0, 1.0))
    with pytest.raises(RunError, match=r"networks\.py has no Absent"):
        extracted(place, "Small", tmp_path / "b", model=f"{place / 'networks.py'}:Absent")
    with pytest.raises(RunError, match=r"--model file\.py:Name"):
        extracted(place, "Small", tmp_path / "c", model="")
    with pytest.raises(RunError, match="--pixels is"):
        Request(pixels="0..2")
