"""A captured run on disk goes through the commands and the app's list of runs as any other does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_networks import Classifier, D, K
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import penviz as package
from penviz.app.catalogue import read_catalogue


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of networks that know their classes a little, one of them without a head."""
    place = tmp_path_factory.mktemp("captured")
    torch.manual_seed(0)
    y = torch.arange(150) % K
    x = torch.randn(150, 3, 8, 8) + y[:, None, None, None]
    loaders = {
        "train": DataLoader(TensorDataset(x, y), 50, shuffle=True),
        "test": DataLoader(TensorDataset(x + 0.1, y), 50),
    }
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        network = Classifier(nn.Linear(D, K))
        package.save(package.capture(network, loaders, name=name, label_smoothing=alpha), place / name)
    film = package.Recorder(network, loaders, name="film", label_smoothing=0.1, directory=place / "film")
    for _ in range(2):
        film.after_epoch(train_loss=1.0)
    film.save()
    bare = package.capture(network, loaders, name="bare", head=False)
    package.save(bare, place / "bare")
    return place


def test_measure_compares_them_example_by_example(place: Path, penviz: Any) -> None:
    ended = penviz("measure", place / "hard", place / "soft", "--json")
    assert ended.status == 0, ended.err
    record = json.loads(ended.out)
    assert "Targets are as stated" in record["finding"]["detail"]
    assert record["label_smoothings"] == [0.0, 0.1]
    for name in ("hard", "soft"):
        assert f"penviz did not train {name}; its targets are as stated." in ended.out


def test_calibrate_and_figure_take_them(place: Path, penviz: Any, tmp_path: Path) -> None:
    ended = penviz("calibrate", place / "hard", place / "soft")
    assert ended.status == 0, ended.err
    assert "ECE" in ended.out
    for name in ("soft", "bare"):
        out = tmp_path / f"{name}.png"
        ended = penviz("figure", place / name, "--classes", 0, 1, 2, "--out", out, "--dpi", 60)
        assert ended.status == 0, ended.err
        assert out.stat().st_size > 5000


def test_the_app_lists_them_together(place: Path) -> None:
    catalogue = read_catalogue((place,), "now")
    assert not catalogue.damaged
    assert [sorted(run.name for run in group.runs) for group in catalogue.groups] == [
        ["bare", "film", "hard", "soft"]
    ]


def page() -> None:
    from penviz.app.page.training_dynamics import show_training

    show_training()


def test_the_app_plays_what_a_recorder_filmed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENVIZ_RUNS", str(place))
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params["runs"] = "film"
    app.run()
    assert not app.exception, app.exception[0].value
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert [frame["name"] for frame in figure["frames"]] == ["1", "2"]
