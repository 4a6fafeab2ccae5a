"""The Oxford pets in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

BREEDS = ("Abyssinian", "american_bulldog", "Bengal", "yorkshire_terrier")
NAMES = ("Abyssinian", "American Bulldog", "Bengal", "Yorkshire Terrier")
TRAINVAL, TEST, NEITHER = 12, 5, 1
"""Images a breed in each official part, and in neither."""


def write_pets(data_dir: Path, side: int = 44) -> Path:
    """Lay out images of one colour a breed, with noise, as torchvision expects the unpacked archives."""
    rng = np.random.default_rng(0)
    root = data_dir / "oxford-iiit-pet"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    lines: dict[str, list[str]] = {"trainval": [], "test": []}
    for label, breed in enumerate(BREEDS):
        for i in range(TRAINVAL + TEST + NEITHER):
            colour = np.eye(3)[label] * 160 if label < 3 else np.full(3, 120)
            pixels = np.clip(colour + rng.normal(0, 40, (side, side + 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{breed}_{i}.jpg", quality=95)
            if i < TRAINVAL + TEST:
                part = "trainval" if i < TRAINVAL else "test"
                lines[part].append(f"{breed}_{i} {label + 1} 1 1")
    (root / "images" / "Bengal_1.mat").write_bytes(b"no image")
    for part, listed in lines.items():
        (root / "annotations" / f"{part}.txt").write_text("\n".join(listed) + "\n")
    return data_dir
