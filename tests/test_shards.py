"""Activations in shards: the same numbers back, a triple as slices, and one sentence for what is damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head
from penviz.store.runs import MANIFEST
from penviz.store.shard_files import LOSSY, shard_name, shard_ready, write_shard
from penviz.store.shards import ShardedActivations
from penviz.store.write_shards import finish, shard


def example(n: int = 103, d: int = 6, n_classes: int = 5) -> Activations:
    """Class 3 is empty; the others are scattered over the split."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 4], size=n)
    return Activations(
        rng.normal(size=(n, d)),
        labels,
        rng.integers(n_classes, size=n),
        rng.permutation(n) * 2,
        tuple("abcde"[:n_classes]),
        "run",
        "train",
        Head(rng.normal(size=(n_classes, d)), rng.normal(size=n_classes)),
        "data",
        "ab" * 32,
        rng.integers(2**63, size=n).astype(np.uint64),
        np.full(n_classes, 200),
        predicted_by="nearest class mean",
    )


def assert_equal(a: Activations, b: Activations) -> None:
    for name in ("features", "labels", "predictions", "indices", "hashes", "total"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None), name
        if x is not None:
            assert x.dtype == y.dtype, name
            np.testing.assert_array_equal(x, y, err_msg=name)
    for name in (
        *("class_names", "run", "split", "dataset_id", "checkpoint_sha256"),
        *("predicted_by", "partial"),
    ):
        assert getattr(a, name) == getattr(b, name)
    assert (a.head is None) == (b.head is None)
    if a.head is not None and b.head is not None:
        np.testing.assert_array_equal(a.head.weight, b.head.weight)
        assert (a.head.bias is None) == (b.head.bias is None)


@pytest.mark.parametrize("rows", [7, 50, 103, 1000])
def test_what_is_sharded_is_read_back(tmp_path: Path, rows: int) -> None:
    a = example()
    written = shard(a, tmp_path / "activations-train", rows=rows)
    assert len(written) == 103
    assert len(written.shards) == -(-103 // rows)
    np.testing.assert_array_equal(written.counts, np.bincount(a.labels, minlength=5))
    assert_equal(written.load(), a)
    assert written.remark == ""
    assert [p.name for p in tmp_path.iterdir()] == ["activations-train"]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("without", ["bias", "head", "hashes", "total"])
def test_what_is_not_there_stays_away(tmp_path: Path, without: str) -> None:
    a = example()
    assert a.head is not None
    a = replace(a, head=Head(a.head.weight)) if without == "bias" else replace(a, **{without: None})
    assert_equal(shard(a, tmp_path / "x", rows=40).load(), a)


def test_half_is_said_to_be_lossy_and_is_close(tmp_path: Path) -> None:
    a = example()
    written = shard(a, tmp_path / "x", rows=40, half=True)
    manifest = json.loads((tmp_path / "x" / MANIFEST).read_text())
    assert written.dtype == manifest["dtype"] == "float16"
    assert written.remark == manifest["remark"] == LOSSY
    back = written.load().features
    np.testing.assert_allclose(back, a.features, rtol=2**-11, atol=1e-7)
    assert (back != a.features).any()
    with pytest.raises(ActivationsError, match="too large for float16"):
        shard(replace(a, features=a.features * 1e5), tmp_path / "y", half=True)


@pytest.mark.parametrize("classes", [[0, 1, 2], [4, 0, 2], [1, 3], [3], []])
def test_a_triple_is_its_slices(tmp_path: Path, classes: list[int]) -> None:
    a = example()
    found = shard(a, tmp_path / "x", rows=20).triple(classes)
    rows = [np.flatnonzero(a.labels == k) for k in classes]
    wanted = replace(a.take(np.concatenate([np.empty(0, np.int64), *rows])), partial=True)
    assert_equal(found, wanted)
    np.testing.assert_array_equal(found.class_totals(), np.full(5, 200))
    z = np.exp(found.logits())
    assert found.confidences is not None
    np.testing.assert_allclose(found.confidences, (z / z.sum(axis=1, keepdims=True)).max(axis=1), rtol=1e-5)


def test_no_shard_is_read_where_a_class_is_not(tmp_path: Path) -> None:
    a = example()
    sharded = shard(a.take(np.argsort(a.labels, kind="stable")), tmp_path / "x", rows=20)
    for k in range(5):
        slices = sharded.class_slices(k)
        assert sum(end - start for _, start, end in slices) == (a.labels == k).sum()
        assert len(slices) <= 3
    assert sharded.class_slices(3) == []
    with pytest.raises(ActivationsError, match="classes 0 to 4"):
        sharded.triple([5])


@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_blocks_hold_every_example_once(tmp_path: Path, parts: int) -> None:
    a = example()
    sharded = shard(a, tmp_path / "x", rows=30)
    seen = [list(sharded.blocks(8, part, parts)) for part in range(parts)]
    blocks = [block for own in seen for block in own]
    assert max(len(b.labels) for b in blocks) <= 8
    assert all((np.diff(b.labels) >= 0).all() for b in blocks)
    assert sum(len(b.labels) for b in blocks) == len(a)
    features = np.concatenate([b.features for b in blocks])
    labels = np.concatenate([b.labels for b in blocks])
    predictions = np.concatenate([b.predictions for b in blocks])
    mine, own = np.lexsort(features.T), np.lexsort(a.features.T)
    np.testing.assert_array_equal(features[mine], a.features[own])
    np.testing.assert_array_equal(labels[mine], a.labels[own])
    np.testing.assert_array_equal(predictions[mine], a.predictions[own])


def write(a: Activations, directory: Path, j: int, some: slice, source: str = "") -> None:
    write_shard(directory, j, replace(a.take(some), head=None), source=source)


def test_shards_are_written_in_any_order_and_what_is_done_is_kept(tmp_path: Path) -> None:
    a, x = replace(example(), hashes=None), tmp_path / "x"
    write(a, x, 1, slice(60, 103), "one")
    assert shard_ready(x, 1, "one")
    assert not shard_ready(x, 1, "two")
    assert not shard_ready(x, 0, "one")
    with pytest.raises(ActivationsError, match="missing or was not finished"):
        finish(x, 2, a, source="one")
    (x / "shard-00000.part").mkdir()  # of a process that was killed
    write(a, x, 0, slice(0, 60), "two")
    with pytest.raises(ActivationsError, match="of another run"):
        finish(x, 2, a, source="one")
    write(a, x, 0, slice(0, 60), "one")
    write(a, x, 2, slice(0, 5), "older")
    np.testing.assert_array_equal(finish(x, 2, a, source="one").load().features, a.features)
    assert sorted(p.name for p in x.glob("shard*")) == ["shard-00000", "shard-00001"]


def test_a_shard_that_was_written_again_is_not_that_of_the_manifest(tmp_path: Path) -> None:
    a = replace(example(), hashes=None)
    shard(a, tmp_path / "x", rows=60)
    write(a, tmp_path / "x", 1, slice(0, 43))
    with pytest.raises(ActivationsError, match=r"shard-00001 of x is not that of its manifest"):
        ShardedActivations.open(tmp_path / "x")


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        (MANIFEST, 0),
        (MANIFEST, 40),
        ("weight.npy", 100),
        ("bias.npy", None),
        (shard_name(0), None),
        *((f"{shard_name(1)}/{name}.npy", 60) for name in ("features", "offsets", "order", "indices")),
        (f"{shard_name(1)}/features.npy", 400),
        (f"{shard_name(1)}/predictions.npy", None),
        (f"{shard_name(1)}/note.json", 10),
        (f"{shard_name(1)}/note.json", None),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, file: str, kept: int | None) -> None:
    shard(example(), tmp_path / "x", rows=60)
    path = tmp_path / "x" / file
    if kept is not None:
        path.write_bytes(path.read_bytes()[:kept])
    else:
        path.rename(tmp_path / "gone")
    with pytest.raises(ActivationsError) as error:
        ShardedActivations.open(tmp_path / "x")
    assert str(error.value).count(".") - str(error.value).count(".json") - str(error.value).count(".npy") == 1
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 9},
        {"class_names": ["one"]},
        {"class_names": list("abcdefg")},
        {"n": 7},
        {"n": "many"},
        {"width": 7},
        {"dtype": "float64"},
        {"dtype": "float16"},
        {"extra": 3},
        {"extra": ["confidences", "hashes"]},
        {"extra": ["other"]},
        {"extra": [], "shards": [{"name": "../../x/shard-00000", "n": 103, "digest": ""}]},
        {"total": [1, 2]},
        {"shards": []},
        {"shards": 3},
        {"head": ["bias"]},
        {"head": 7},
    ],
)
def test_a_foreign_manifest_is_one_sentence(tmp_path: Path, change: dict[str, object]) -> None:
    shard(example(), tmp_path / "x", rows=60)
    path = tmp_path / "x" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ActivationsError):
        ShardedActivations.open(tmp_path / "x")
    path.write_text("[1, 2]")
    with pytest.raises(ActivationsError, match="not readable JSON"):
        ShardedActivations.open(tmp_path / "x")


@pytest.mark.parametrize("offsets", [[0, 9, 3, 60, 60, 60], [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 60]])
def test_an_index_that_does_not_fit_is_refused(tmp_path: Path, offsets: list[int]) -> None:
    shard(example(), tmp_path / "x", rows=60)
    np.save(tmp_path / "x" / shard_name(0) / "offsets.npy", np.array(offsets))
    with pytest.raises(ActivationsError, match="shard-00000 of x is damaged"):
        ShardedActivations.open(tmp_path / "x")


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    sharded = shard(example(), tmp_path / "x", rows=60)
    path = tmp_path / "x" / shard_name(0) / "features.npy"
    features = np.load(path)
    features[0, 0] = np.nan
    np.save(path, features)
    k = int(np.flatnonzero(np.diff(np.load(path.with_name("offsets.npy"))))[0])
    with pytest.raises(ActivationsError, match="NaN or infinity"):
        ShardedActivations.open(sharded.directory).triple([k])
    with pytest.raises(ActivationsError, match="NaN or infinity"):
        shard(replace(example(), features=np.full((103, 6), np.inf)), tmp_path / "y")
    assert not (tmp_path / "y").exists()
