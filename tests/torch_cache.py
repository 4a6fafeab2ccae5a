"""Random weights in a torch cache made for a test, under names as the official ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from penviz.store.runs import sha256_of


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
