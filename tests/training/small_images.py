"""Small data sets of random pixels, and what a refusal must look like."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def make(n: int, n_classes: int = 4, side: int = 6, channels: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, side, side, channels), dtype=np.uint8)
    return images, rng.integers(0, n_classes, n)


def write_folder(root: Path, parts: dict[str, tuple[Any, Any]], names: str = "abcd") -> Path:
    for part, (images, labels) in parts.items():
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = root / part / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{i:05}.png")
    return root


def key(image: np.ndarray) -> bytes:
    return image.tobytes()


def assert_one_sentence(error: BaseException) -> None:
    text = str(error)
    assert "\n" not in text
    assert text.endswith(".")
    assert text[:-1].count(". ") == 0


def write_npz(path: Path, **changes: Any) -> Path:
    x, y = make(60)
    x_test, y_test = make(20, seed=1)
    arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test, "class_names": list("abcd")}
    arrays |= changes
    np.savez_compressed(path, **{k: np.asarray(v) for k, v in arrays.items() if v is not None})
    return path


def slow_hash(seed: int, image: np.ndarray) -> int:
    """First 8 bytes, big-endian, of sha256(seed as 8 bytes, the pixels row by row)."""
    digest = hashlib.sha256()
    for i in range(8):
        digest.update(bytes([seed >> (8 * i) & 255]))
    for value in image.ravel():
        digest.update(bytes([int(value)]))
    return int(digest.hexdigest()[:16], 16)
