from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_shards import assert_equal

from penviz.store.activations import Activations
from penviz.store.head import ActivationsError, Head
from penviz.store.npz import whole_array


def example(n: int = 20, d: int = 6, n_classes: int = 4) -> Activations:
    rng = np.random.default_rng(0)
    return Activations(
        rng.normal(size=(n, d)),
        np.arange(n) % n_classes,
        np.arange(n)[::-1] % n_classes,
        np.arange(n) * 2,
        tuple("abcd"[:n_classes]),
        "run",
        "train",
        Head(rng.normal(size=(n_classes, d)), rng.normal(size=n_classes)),
        "data",
        "ab" * 32,
        rng.integers(2**63, size=n).astype(np.uint64),
        np.full(n_classes, 50),
    )


@pytest.mark.parametrize("head", ["with bias", "without bias", "none"])
def test_what_is_saved_is_read_back(tmp_path: Path, head: str) -> None:
    a = example()
    if head == "without bias":
        a = replace(a, head=Head(a.head.weight), hashes=None, total=None)
    elif head == "none":
        a = replace(a, head=None)
    a.save(tmp_path / "activations-train.npz")
    assert_equal(Activations.load(tmp_path / "activations-train.npz"), a)
    assert [p.name for p in tmp_path.iterdir()] == ["activations-train.npz"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "activations-train.npz"
    example().save(path)
    before = path.read_bytes()

    def fail(*_args: object, **_arrays: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        example(30).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "activations-train.npz"
    example().save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:700])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not an archive")
    else:
        np.savez(path, features=np.array([object()], dtype=object))
    with pytest.raises(ActivationsError, match="cannot be read"):
        Activations.load(path)


def test_flipped_bytes_give_a_sentence_or_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / "activations-train.npz"
    example().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(len(damaged), size=3):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            Activations.load(path)
        except ActivationsError:
            refused += 1
    assert refused > 100


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ActivationsError, match="There is no file"):
        Activations.load(tmp_path / "none.npz")
    path = tmp_path / "a.npz"
    np.savez(path, features=np.zeros((2, 2)))
    with pytest.raises(ActivationsError, match="lacks class_names, indices"):
        Activations.load(path)
    example().save(path)
    with np.load(path) as file:
        stored = {key: file[key] for key in file.files}
    np.savez(path, **(stored | {"meta": '{"format_version": 99}'}))
    with pytest.raises(ActivationsError, match="format 99"):
        Activations.load(path)
    np.savez(path, **(stored | {"meta": "{"}))
    with pytest.raises(ActivationsError, match="meta"):
        Activations.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.zeros(20)}, "2 axes"),
        ({"features": np.full((20, 6), np.nan)}, "NaN"),
        ({"features": np.full((20, 6), "a")}, "real numbers"),
        ({"labels": np.zeros(19, int)}, "shape"),
        ({"labels": np.zeros(20)}, "integers"),
        ({"labels": np.full(20, 4)}, "between 0 and 3"),
        ({"predictions": np.full(20, -1)}, "between 0 and 3"),
        ({"indices": -np.ones(20, int)}, "between 0 and n"),
        ({"class_names": ("a",)}, "two class names"),
        ({"hashes": np.zeros(20, np.int64)}, "uint64"),
        ({"total": np.ones(4, int)}, "below the number"),
        ({"head": Head(np.ones((3, 6)))}, "head has shape"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, words: str) -> None:
    with pytest.raises(ActivationsError, match=words):
        replace(example(), **change)


def test_head_is_checked() -> None:
    with pytest.raises(ActivationsError, match="bias has 2 entries"):
        Head(np.ones((3, 4)), np.ones(2))
    with pytest.raises(ActivationsError, match="2 axes"):
        Head(np.ones(3))


def test_logits_and_templates_are_those_of_a_linear_layer() -> None:
    a = example()
    layer = torch.nn.Linear(6, 4)
    layer.weight.data, layer.bias.data = torch.tensor(a.head.weight), torch.tensor(a.head.bias)
    with torch.no_grad():
        expected = layer(torch.tensor(a.features)).numpy()
    np.testing.assert_allclose(a.logits(), expected, rtol=1e-4, atol=1e-5)
    assert a.logits().dtype == np.float64
    ones = np.column_stack([a.features, np.ones(len(a))])
    np.testing.assert_allclose(ones @ a.head.templates().T, a.logits(), atol=1e-12)
    assert a.head.templates(False).shape == (4, 6)
    assert Head(a.head.weight).templates().shape == (4, 7)
    assert a.head.n_classes == 4
    with pytest.raises(ActivationsError, match="no linear head"):
        replace(a, head=None).logits()


def test_part_of_the_examples_remembers_the_whole() -> None:
    a = replace(example(), total=None)
    part = a.take(np.arange(8))
    assert len(part) == 8
    np.testing.assert_array_equal(part.class_totals(), [5, 5, 5, 5])
    np.testing.assert_array_equal(part.take(part.labels == 1).class_totals(), [5, 5, 5, 5])
    np.testing.assert_array_equal(part.hashes, a.hashes[:8])


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_a_character_that_does_not_exist_is_damage(byte_order: str, tmp_path: Path) -> None:
    """NumPy makes a text of it, over which Python then stumbles."""
    names = np.array(["a", "b"], f"{byte_order}U1")
    bad = np.frombuffer(np.array([97, 0x7FFFFFFF], f"{byte_order}u4").tobytes(), f"{byte_order}U1")
    assert whole_array(names).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="do not exist"):
        whole_array(bad)
    assert whole_array(b"no array").ndim == 0
