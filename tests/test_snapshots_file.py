from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penviz.store.head import ActivationsError
from penviz.store.snapshots import Snapshots, snapshot_epochs
from tests.small_runs import small_snapshots

NAME = "snapshots-train.npz"


def same(a: Snapshots, b: Snapshots) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name))
        and getattr(getattr(a, f.name), "dtype", None) == getattr(getattr(b, f.name), "dtype", None)
        for f in fields(Snapshots)
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("finished", [True, False])
def test_what_is_saved_is_read_back(tmp_path: Path, bias: bool, finished: bool) -> None:
    s = small_snapshots()
    s = s if bias else replace(s, bias=None)
    s = s if finished else replace(s, planned=(1, 2, 5, 9, 20))
    s.save(tmp_path / NAME)
    read = Snapshots.load(tmp_path / NAME)
    assert same(read, s)
    assert read.features.dtype == np.float16
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    assert not same(replace(read, run="other"), s), "the comparison must be able to fail"


def test_a_finished_file_is_compressed_and_one_in_the_making_is_not(tmp_path: Path) -> None:
    s = small_snapshots()
    s = replace(s, features=np.zeros_like(s.features))
    s.save(tmp_path / "done.npz")
    replace(s, planned=(*s.planned, 20)).save(tmp_path / "making.npz")
    assert (tmp_path / "done.npz").stat().st_size < (tmp_path / "making.npz").stat().st_size / 2


def test_an_epoch_is_read_as_activations() -> None:
    s = small_snapshots()
    a = s.at(1)
    np.testing.assert_array_equal(a.features, s.features[1].astype(np.float32))
    np.testing.assert_array_equal(a.predictions, s.predictions[1])
    assert a.head is not None
    np.testing.assert_array_equal(a.head.weight, s.weight[1])
    assert s.bias is not None
    np.testing.assert_array_equal(a.head.bias, s.bias[1])
    np.testing.assert_array_equal(a.class_totals(), s.total)
    assert (a.run, a.split, a.dataset_id, len(s)) == ("hard", "train", "small", 4)


def test_epochs_are_dense_at_the_start_and_hold_both_ends() -> None:
    assert snapshot_epochs(16, 100) == (1, 2, 3, 5, 8, 12, 17, 23, 29, 37, 45, 54, 64, 75, 87, 100)
    assert snapshot_epochs(0, 100) == ()
    assert snapshot_epochs(1, 100) == (100,)
    assert snapshot_epochs(2, 100) == (1, 100)
    assert snapshot_epochs(30, 20) == tuple(range(1, 21))
    assert snapshot_epochs(16, 100, "log") == (1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 22, 29, 40, 54, 74, 100)
    for epochs in (1, 2, 3, 7, 20, 99, 100, 301):
        for n in range(1, epochs + 5):
            kept = snapshot_epochs(n, epochs)
            assert len(kept) == min(n, epochs)
            assert kept[-1] == epochs
            assert n == 1 or kept[0] == 1
            steps = np.diff(kept)
            assert (steps > 0).all()
            assert (np.diff(steps) >= -1).all(), "steps grow, up to rounding"


WRONG: dict[str, dict[str, Any]] = {
    "NaN": {"features": lambda s: np.where(s.features == s.features.max(), np.nan, s.features)},
    "complex": {"features": lambda s: s.features.astype(complex)},
    "another length": {"labels": lambda s: s.labels[:-1]},
    "float labels": {"labels": lambda s: s.labels.astype(float)},
    "a label too many": {"labels": lambda s: s.labels + 1},
    "a negative prediction": {"predictions": lambda s: s.predictions - 1},
    "epochs fall": {"epochs": lambda s: s.epochs[::-1]},
    "an epoch 0": {"epochs": lambda s: s.epochs - 1},
    "a head of another width": {"weight": lambda s: s.weight[:, :, :-1]},
    "a bias of another length": {"bias": lambda s: s.bias[:, :-1]},
    "too few totals": {"total": lambda s: s.total[:-1]},
    "no class names": {"class_names": lambda s: ()},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused(case: str) -> None:
    s = small_snapshots()
    with pytest.raises(ActivationsError):
        replace(s, **{key: change(s) for key, change in WRONG[case].items()})


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / NAME
    small_snapshots().save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:700])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not an archive")
    else:
        np.savez(path, features=np.array([object()], dtype=object))
    with pytest.raises(ActivationsError, match="cannot be read"):
        Snapshots.load(path)


def test_flipped_bytes_give_a_sentence_or_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / NAME
    small_snapshots().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for at in rng.integers(len(damaged), size=3):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            Snapshots.load(path)
        except ActivationsError:
            refused += 1
    assert refused > 70


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(ActivationsError, match="There is no file"):
        Snapshots.load(path)
    np.savez(path, features=np.zeros((2, 2)))
    with pytest.raises(ActivationsError, match="lacks class_names, epochs"):
        Snapshots.load(path)
    small_snapshots().save(path)
    with np.load(path) as file:
        stored = {key: file[key] for key in file.files}
    np.savez(path, **(stored | {"meta": '{"format_version": 99, "planned": []}'}))
    with pytest.raises(ActivationsError, match="format 99"):
        Snapshots.load(path)
    for meta in ("{", '{"format_version": 1, "planned": ["x"]}', "[]"):
        np.savez(path, **(stored | {"meta": meta}))
        with pytest.raises(ActivationsError, match="meta"):
            Snapshots.load(path)
    np.savez(path, **(stored | {"labels": stored["labels"][:-1]}))
    with pytest.raises(ActivationsError, match=f"{NAME} is damaged: labels must have shape"):
        Snapshots.load(path)
