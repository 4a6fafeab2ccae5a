"""Activations from elsewhere become a run; what is missing is derived, what is wrong is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from penviz.external.importing.arrays import adopt_arrays
from penviz.metrics.collapse.simplex import nearest_means
from penviz.store.activations import Activations
from penviz.store.head import ActivationsError
from penviz.store.run_config import RunError
from penviz.store.run_differences import differences
from penviz.store.run_from_arrays import class_means
from penviz.store.runs import activations_path, read_run

K, D = 4, 6


def arrays(seed: int = 0, n: int = 40, head: bool = True) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    weight = np.random.default_rng(9).normal(size=(K, D)).astype(np.float32)
    labels = np.arange(n) % K
    features = (weight[labels] + rng.normal(0, 0.5, (n, D))).astype(np.float32)
    made = {"features": features, "labels": labels}
    return made | ({"weight": weight, "bias": np.arange(K, dtype=np.float32) / 10} if head else {})


def npz(path: Path, content: dict[str, Any]) -> Path:
    np.savez(path, **content)
    return path


def test_a_head_gives_the_predictions(tmp_path: Path) -> None:
    content = {split: arrays(seed) for seed, split in enumerate(("train", "validation"))}
    files = {
        "train": npz(tmp_path / "a.npz", content["train"] | {"class_names": np.array(list("wxyz"))}),
        "validation": tmp_path / "b.safetensors",
    }
    save_file(content["validation"], files["validation"])
    out = adopt_arrays(files, tmp_path / "run", dataset="mine", targets="uniform", label_smoothing=0.1)
    for split in files:
        made = Activations.load(activations_path(out, split))
        own = content[split]
        assert np.array_equal(made.features, own["features"])
        assert np.array_equal(made.labels, own["labels"])
        expected = [int(np.argmax(own["weight"] @ x + own["bias"])) for x in own["features"]]
        assert made.predictions.tolist() == expected
        assert made.class_names == tuple("wxyz")
    record = json.loads((out / "run.json").read_text())
    assert record["config"] == {
        "dataset": "mine",
        "model": "activations",
        "targets": "uniform",
        "label_smoothing": 0.1,
    }
    assert record["adopted"]["head"]["kind"] == "stated"


def test_without_a_head_the_nearest_class_mean_predicts(tmp_path: Path) -> None:
    own = arrays(head=False)
    out = adopt_arrays({"validation": npz(tmp_path / "a.npz", own)}, tmp_path / "run")
    made = Activations.load(activations_path(out, "validation"))
    assert made.head is None
    means = [own["features"][own["labels"] == k].astype(float).mean(0) for k in range(K)]
    expected = [int(np.argmin([np.sum((x - m) ** 2) for m in means])) for x in own["features"].astype(float)]
    assert made.predictions.tolist() == expected
    assert made.class_names == ("class 0", "class 1", "class 2", "class 3")
    record = json.loads((out / "run.json").read_text())
    assert "class means stand in" in record["adopted"]["head"]["sentence"]
    assert record["config"]["targets"] == "unknown"
    assert record["adopted"]["accuracy"]["measured"] == np.mean(np.array(expected) == own["labels"])


def test_means_of_the_first_split_serve_both(tmp_path: Path) -> None:
    parts = {split: arrays(seed, head=False) for seed, split in enumerate(("train", "validation"))}
    files = {split: npz(tmp_path / f"{split}.npz", parts[split]) for split in ("validation", "train")}
    out = adopt_arrays(files, tmp_path / "run")
    means = class_means(parts["train"]["features"], parts["train"]["labels"], K)
    made = Activations.load(activations_path(out, "validation"))
    assert np.array_equal(made.predictions, nearest_means(parts["validation"]["features"], means))


def test_a_class_without_examples_is_never_predicted() -> None:
    features, labels = np.eye(3), np.array([0, 2, 2])
    means = class_means(features, labels, 4)
    assert np.isnan(means[[1, 3]]).all()
    assert set(nearest_means(features, means).tolist()) <= {0, 2}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"features": None}, "lacks features"),
        ({"labels": None}, "lacks labels"),
        ({"features": np.zeros(3)}, r"shape \[n, d\]"),
        ({"labels": np.zeros(7)}, "one integer for each row"),
        ({"labels": np.full(40, 9)}, "between 0 and 3"),
        ({"weight": np.zeros((K, D + 1), np.float32)}, "weight has rows of 7 numbers and features have 6"),
        ({"features": np.full((40, D), np.nan)}, "NaN or infinity"),
        ({"predictions": np.full(40, 9)}, "predictions must lie between 0 and 3"),
    ],
)
def test_what_does_not_fit_is_one_sentence(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    content = {k: v for k, v in (arrays() | change).items() if v is not None}
    with pytest.raises((RunError, ActivationsError), match=sentence):
        adopt_arrays({"train": npz(tmp_path / "a.npz", content)}, tmp_path / "runs" / "run")
    assert not list(tmp_path.glob("runs/*"))
    assert not list(tmp_path.glob("runs/.*"))


def test_splits_must_fit_each_other(tmp_path: Path) -> None:
    first = npz(tmp_path / "a.npz", arrays())
    wider = arrays() | {"features": np.zeros((40, D + 1), np.float32)}
    other = arrays() | {"bias": np.zeros(K, np.float32)}
    for content, sentence in ((wider, "different widths"), (other, "different head weights")):
        files = {"train": first, "validation": npz(tmp_path / "b.npz", content)}
        with pytest.raises(RunError, match=sentence):
            adopt_arrays(files, tmp_path / "run")
    with pytest.raises(RunError, match="Name the split"):
        adopt_arrays({"dev": first}, tmp_path / "run")
    with pytest.raises(RunError, match="There is no file"):
        adopt_arrays({"train": tmp_path / "none.npz"}, tmp_path / "run")
    (tmp_path / "bad.npz").write_bytes(b"PK broken")
    with pytest.raises(RunError, match="cannot be read"):
        adopt_arrays({"train": tmp_path / "bad.npz"}, tmp_path / "run")


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "canary",))

    np.savez(tmp_path / "a.npz", features=np.array([[Canary()]], object), labels=np.array([0]))
    with pytest.raises(RunError, match="cannot be read"):
        adopt_arrays({"train": tmp_path / "a.npz"}, tmp_path / "run")
    assert not (tmp_path / "canary").exists()


def test_the_same_data_are_one_data_set_whatever_the_directory(tmp_path: Path) -> None:
    """Two runs of arrays from the same images differ in nothing; other labels are other data."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    runs = []
    for name, own in (("a", labels), ("b", labels), ("c", labels[::-1].copy())):
        np.savez(tmp_path / f"{name}.npz", features=random.normal(size=(60, 4)), labels=own)
        runs.append(read_run(adopt_arrays({"validation": tmp_path / f"{name}.npz"}, tmp_path / name)))
    assert differences(runs[:2]) == []
    assert differences(runs[1:]) == ["data"]
    assert runs[0].unseen == ("validation",)
