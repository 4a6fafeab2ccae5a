"""Directories of images."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_images import assert_one_sentence, key, make, write_folder

from penviz.store.run_config import RunError
from penviz.training import data
from penviz.training.folder import read_folder


@pytest.mark.parametrize("name", ["validation", "val", "test"])
def test_the_names_of_the_validation_part(name: str, tmp_path: Path) -> None:
    train, other = make(40), make(12, seed=1)
    loaded = data.load(str(write_folder(tmp_path / "pets", {"train": train, name: other})), image_size=6)
    assert loaded.name == "pets"
    assert loaded.class_names == tuple("abcd")
    assert {part: len(s) for part, s in loaded.splits.items()} == {"train": 40, "validation": 12}
    split = loaded.splits["train"]
    pixels = {key(image): label for image, label in zip(*train, strict=True)}
    assert [pixels[key(image)] for image in split.images] == split.labels.tolist()


def test_validation_and_test_are_kept_apart(tmp_path: Path) -> None:
    root = write_folder(
        tmp_path / "pets", {"train": make(40), "val": make(12, seed=1), "test": make(8, seed=2)}
    )
    loaded = data.load(str(root), image_size=6)
    assert {p: len(s) for p, s in loaded.splits.items()} == {"train": 40, "validation": 12, "test": 8}
    with pytest.raises(RunError, match="hold none out"):
        data.load(str(root), image_size=6, n_hold_out=10)
    shutil.rmtree(root / "test")
    loaded = data.load(str(root), image_size=6, n_hold_out=10)
    assert {p: len(s) for p, s in loaded.splits.items()} == {"train": 30, "validation": 10, "test": 12}


def test_a_class_may_be_missing_from_validation_but_not_be_new_there(tmp_path: Path) -> None:
    x, y = make(12, seed=1)
    root = write_folder(tmp_path / "pets", {"train": make(40), "validation": (x[y < 3], y[y < 3])})
    loaded = data.load(str(root), image_size=6)
    assert loaded.splits["validation"].labels.max() == 2
    assert len(loaded.class_names) == 4
    (root / "validation/zebra").mkdir()
    with pytest.raises(RunError, match="classes that train/ lacks: zebra"):
        data.load(str(root), image_size=6)


def test_pictures_of_any_size_are_cut_at_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((6, 18, 3), np.uint8)
    wide[:, 6:12] = 200
    for part in ("train", "validation"):
        for name in "ab":
            (tmp_path / part / name).mkdir(parents=True)
            Image.fromarray(wide).save(tmp_path / part / name / "wide.PNG")
            Image.fromarray(wide[..., 0]).save(tmp_path / part / name / "grey.png")
            (tmp_path / part / name / "notes.txt").write_text("not an image")
    parts, names = read_folder(tmp_path, 6)
    assert names == ("a", "b")
    assert parts["train"][0].shape == (4, 6, 6, 3)
    assert (parts["train"][0] == 200).all()


def test_bad_directories(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    root.mkdir()
    with pytest.raises(RunError, match="no train/"):
        data.load(str(root))
    (root / "train/a").mkdir(parents=True)
    with pytest.raises(RunError, match="at least two"):
        data.load(str(root))
    write_folder(root, {"train": make(40), "validation": make(4)})
    (root / "train/empty").mkdir()
    with pytest.raises(RunError, match="holds no images"):
        data.load(str(root), image_size=6)
    (root / "train/empty").rmdir()
    (root / "train/a/bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    with pytest.raises(RunError, match=r"bad\.png cannot be read as an image") as caught:
        data.load(str(root), image_size=6)
    assert_one_sentence(caught.value)
    whole = (root / "train/b" / sorted(p.name for p in (root / "train/b").iterdir())[0]).read_bytes()
    (root / "train/a/bad.png").write_bytes(whole[:60])
    with pytest.raises(RunError, match="cannot be read as an image"):
        data.load(str(root), image_size=6)
    (root / "train/a/bad.png").unlink()
    shutil.rmtree(root / "validation")
    with pytest.raises(RunError, match="no validation examples"):
        data.load(str(root), image_size=6)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n%%EOF\n"


@pytest.mark.parametrize(
    ("content", "words"), [(EPS, "cannot be read as an image"), (b"", "make it smaller")]
)
def test_a_program_and_a_bomb_are_no_images(content: bytes, words: str, tmp_path: Path) -> None:
    """Pillow hands PostScript to a program of its own; a flat image of any size has few bytes."""
    root = write_folder(tmp_path / "pets", {"train": make(8), "val": make(8)})
    target = next((root / "train/a").iterdir())
    if content:
        target.write_bytes(content)
    else:
        Image.new("1", (9000, 9000)).save(target, "PNG")
    with pytest.raises(RunError, match=words) as caught:
        read_folder(root, 6)
    assert_one_sentence(caught.value)


def test_images_are_read_where_no_thread_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_folder(tmp_path / "pets", {"train": make(40), "val": make(12, seed=1)})
    expected = read_folder(root, 6)[0]

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for part, (images, labels) in read_folder(root, 6)[0].items():
        np.testing.assert_array_equal(images, expected[part][0])
        np.testing.assert_array_equal(labels, expected[part][1])
