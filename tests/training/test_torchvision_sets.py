"""The labelled image sets of torchvision, read by its own classes from small files of their formats."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from penviz.store.run_config import RunError
from penviz.training import data
from penviz.training.torchvision_sets import SETS, SEVERAL, TorchvisionSet, read_set

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the format of MNIST's files (LeCun, Cortes & Burges)."""
    return (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


def write_mnist(place: Path, names: list[str], packed: bool) -> dict[str, np.ndarray]:
    place.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in names:
        n = 40 if name.startswith("train") else 20
        array = RNG.integers(0, 256, (n, 28, 28)) if "images" in name else np.arange(n) % 10
        made[name] = array.astype(np.uint8)
        write = gzip.compress if packed else bytes
        (place / (name if packed else name.removesuffix(".gz"))).write_bytes(write(idx(array)))
    return made


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
@pytest.mark.parametrize("where", ["", "raw", "{kind}/raw", "unpacked"])
def test_torchvisions_own_gz_files_are_read_where_they_lie(name: str, where: str, tmp_path: Path) -> None:
    from torchvision import datasets

    kind = getattr(datasets, SETS[name].kind)
    place = tmp_path / ("{kind}/raw" if where == "unpacked" else where).format(kind=kind.__name__)
    made = write_mnist(place, [file for file, _ in kind.resources], packed=where != "unpacked")
    before = sorted(tmp_path.rglob("*"))
    parts, names = read_set(name, tmp_path, 0)
    assert len(names) == 10
    assert np.array_equal(parts["train"][0], made["train-images-idx3-ubyte.gz"])
    assert np.array_equal(parts["test"][1], made["t10k-labels-idx1-ubyte.gz"])
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked into a place that may be read-only


def test_a_damaged_gz_file_is_one_sentence(tmp_path: Path) -> None:
    from torchvision import datasets

    write_mnist(tmp_path, [file for file, _ in datasets.MNIST.resources], packed=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b cut")
    with pytest.raises(RunError, match="cannot be unpacked: fetch it again"):
        read_set("mnist", tmp_path, 0)


def test_svhn_stl10_and_usps_are_read_from_their_own_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bz2

    from scipy.io import savemat
    from torchvision import datasets

    pixels = RNG.integers(0, 256, (32, 32, 3, 12)).astype(np.uint8)
    for part in ("train", "test"):
        labels = np.where(np.arange(12) % 10 == 0, 10, np.arange(12) % 10)  # SVHN writes 10 for the digit 0
        savemat(tmp_path / f"{part}_32x32.mat", {"X": pixels, "y": labels[:, None]})
    monkeypatch.setattr(datasets.SVHN, "_check_integrity", lambda self: True)
    monkeypatch.setattr(datasets.SVHN, "download", lambda self: None)
    parts, names = read_set("svhn", tmp_path, 0)
    assert names == tuple("0123456789")
    assert np.array_equal(parts["train"][0], pixels.transpose(3, 0, 1, 2))
    assert parts["train"][1].tolist() == [k % 10 for k in range(12)]

    place = tmp_path / "stl10_binary"
    place.mkdir()
    (place / "class_names.txt").write_text("\n".join(f"kind {k}" for k in range(10)))
    planes = RNG.integers(0, 256, (10, 3, 96, 96)).astype(np.uint8)  # column-major, as the format has it
    for part in ("train", "test"):
        (place / f"{part}_X.bin").write_bytes(planes.tobytes())
        (place / f"{part}_y.bin").write_bytes((np.arange(10) + 1).astype(np.uint8).tobytes())
    monkeypatch.setattr(datasets.STL10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(datasets.STL10, "download", lambda self: None)
    parts, names = read_set("stl10", tmp_path, 0)
    assert names[3] == "kind 3"
    assert np.array_equal(parts["test"][0], planes.transpose(0, 3, 2, 1))
    assert parts["test"][1].tolist() == list(range(10))

    lines = "".join(
        f"{k % 10 + 1} " + " ".join(f"{j + 1}:{-1 + k / 10}" for j in range(256)) + "\n" for k in range(12)
    )
    for part in ("train", "test"):
        url, file, _ = datasets.USPS.split_list[part]
        (tmp_path / file).write_bytes(bz2.compress(lines.encode()))
        monkeypatch.setitem(datasets.USPS.split_list, part, [url, file, None])
    parts, _ = read_set("usps", tmp_path, 0)
    assert parts["train"][0].shape == (12, 16, 16)
    assert parts["train"][1].tolist() == [k % 10 for k in range(12)]


def test_a_set_of_files_is_read_as_squares_with_its_own_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    class Small:
        """As Flowers102, DTD, ...: pictures of many sizes, some grey."""

        classes = ("rose", "tulip")

        def __init__(self, root: str, split: str, download: bool) -> None:
            self.n = {"train": 6, "val": 4, "test": 2}[split]

        def __len__(self) -> int:
            return self.n

        def __getitem__(self, row: int) -> tuple[Image.Image, int]:
            shade = np.full((20 + row, 30), 10 * row, np.uint8)
            return Image.fromarray(shade).convert("L" if row % 2 else "RGB"), row % 2

    monkeypatch.setattr(datasets, "Flowers102", Small)
    loaded = data.load("flowers102", data_dir=tmp_path, image_size=8)
    assert {name: split.images.shape for name, split in loaded.splits.items()} == {
        "train": (6, 8, 8, 3), "validation": (4, 8, 8, 3), "test": (2, 8, 8, 3)
    }  # fmt: skip
    train = loaded.splits["train"]
    for image, label, row in zip(train.images, train.labels, train.indices, strict=True):
        assert (image == 10 * row).all()
        assert label == row % 2


def test_every_entry_is_a_class_of_torchvision_that_takes_its_arguments() -> None:
    import inspect

    from torchvision import datasets

    for name, known in SETS.items():
        kind: Any = getattr(datasets, known.kind)
        for arguments in known.parts.values():
            if known.form:
                assert known.form in kind.splits
            else:
                inspect.signature(kind).bind("root", **arguments, download=False)
        assert known.held_out or "validation" in known.parts
        assert data.HOLD_OUT[name] == known.held_out
    assert isinstance(SETS["svhn"], TorchvisionSet)


def test_a_set_in_several_forms_names_them() -> None:
    with pytest.raises(RunError, match=r"emnist comes in several forms: choose emnist-balanced"):
        data.load("emnist")
    assert set(SEVERAL["emnist"]) < set(data.BUILT_IN)


def test_letters_start_at_the_first_letter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from torchvision import datasets

    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "test"):
        (raw / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(
            idx(RNG.integers(0, 256, (52, 28, 28)))
        )
        (raw / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(52) % 26 + 1))
    for split in ("byclass", "bymerge", "balanced", "digits", "mnist"):  # torchvision asks for all of them
        for part in ("train", "test"):
            for kind, n in (("images-idx3", 3), ("labels-idx1", 1)):
                (raw / f"emnist-{split}-{part}-{kind}-ubyte").write_bytes(idx(np.zeros((1, 28, 28)[:n])))
    parts, names = read_set("emnist-letters", tmp_path, 0)
    assert names == tuple("abcdefghijklmnopqrstuvwxyz")
    assert parts["train"][1].tolist() == [k % 26 for k in range(52)]
    assert datasets.EMNIST.classes_split_dict["letters"][0] == "N/A"
