"""The Oxford pets in small, and weights in a torch cache, both made here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from penviz.runs import sha256_of

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


def cached_weights(
    cache: Path, model: str, monkeypatch: pytest.MonkeyPatch, version: str = "IMAGENET1K_V1", seed: int = 0
) -> tuple[Path, dict[str, torch.Tensor]]:
    """Random weights of a torchvision network under a name as the official one's: NAME-<start of sha256>.pth.

    torchvision's own entry is pointed at that name, as the digest of random weights is another.
    """
    from torchvision import models as zoo

    monkeypatch.setenv("TORCH_HOME", str(cache))
    torch.manual_seed(seed)
    state: dict[str, Any] = zoo.get_model(model, weights=None).state_dict()
    folder = cache / "hub" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "part")
    path = folder / f"{model}-{sha256_of(folder / 'part')[:8]}.pth"
    shutil.move(folder / "part", path)
    entry = zoo.get_model_weights(model)[version]
    monkeypatch.setattr(entry.value, "url", f"https://download.pytorch.org/models/{path.name}")
    return path, state
