"""Pretrained weights: torchvision's official files in torch's own cache, or a file of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor

from penviz.store.run_config import RunError
from penviz.store.runs import sha256_of
from penviz.training import zoo
from penviz.training.folder import remove_empty

OFFICIAL = "IMAGENET1K_V1"
"""The weights of a network when nothing else is said: torchvision's first."""


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        path: where it lies; name: "IMAGENET1K_V1" of torchvision, or the path as it was given.
        sha256: hex digest of the file.
    """

    path: Path
    name: str
    sha256: str


def official(model: str, version: str = OFFICIAL) -> Any:
    """torchvision's entry for pretrained weights: `url`, `transforms()` and `meta`.

    Raises:
        RunError: a network that is not torchvision's, or one without such weights.
    """
    from torchvision import models as torchvision_models

    if not model.startswith(zoo.PREFIX):
        raise RunError(f"{model} has no pretrained weights: they are there for torchvision:NAME.")
    zoo.architecture(model)
    entries = torchvision_models.get_model_weights(zoo.plain_name(model))
    if version not in entries.__members__:
        raise RunError(f"torchvision has no weights {version} of {zoo.plain_name(model)}.")
    return entries[version]


def digest_start(entry: Any) -> str:
    """The start of the sha256 of an official file, which stands in its name: NAME-<start>.pth."""
    return Path(urlparse(str(entry.url)).path).stem.rpartition("-")[2]


def cache() -> Path:
    """Where torch keeps downloaded weights: TORCH_HOME/hub/checkpoints."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find(model: str, name: str = OFFICIAL) -> Weights:
    """The weights of a network: a file, or torchvision's by their name, downloaded when torch lacks them.

    An official file carries the start of its sha256 in its name; one with another digest is refused.

    Args:
        model: `torchvision:NAME` or `torchvision:NAME-fastai`.
        name: a file, or the name of torchvision's weights.

    Raises:
        RunError: no such file, no such weights, no network to fetch them, or a file that was changed.
    """
    if not name.startswith("IMAGENET1K_"):
        if not Path(name).is_file():
            raise RunError(f"There is no file of weights {name}.")
        if not model.startswith(zoo.PREFIX):
            raise RunError(f"{model} starts from no file of weights: these are for torchvision:NAME.")
        zoo.architecture(model)
        return Weights(Path(name), name, sha256_of(Path(name)))
    entry = official(model, name)
    url, start = str(entry.url), digest_start(entry)
    path = cache() / Path(urlparse(url).path).name
    if not path.is_file():
        _download(url, path, start)
    digest = sha256_of(path)
    if not digest.startswith(start):
        raise RunError(f"{path} is not the file that its name says (sha256 {digest[:8]}): remove it.")
    return Weights(path, name, digest)


def _download(url: str, path: Path, start: str) -> None:
    """Fetch a file under a temporary name, check its digest, rename it; leave nothing when that fails."""
    made = [p for p in (path.parent, *path.parent.parents) if not p.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), start, progress=False)
    except (OSError, RuntimeError) as error:
        for directory in made:
            remove_empty(directory)
        raise RunError(
            f"{path.name} is not in {path.parent} and could not be downloaded ({type(error).__name__}); "
            "put it there, or name a file of them."
        ) from error


def read(weights: Weights) -> dict[str, Tensor]:
    """The state dict of a file, read without running anything in it (safetensors, or weights only).

    Raises:
        RunError: the file is damaged, is no state dict, or holds more than weights.
    """
    from safetensors.torch import load_file

    try:
        if weights.path.suffix == ".safetensors":
            return load_file(weights.path)
        stored = torch.load(weights.path, map_location="cpu", weights_only=True)
    except Exception:  # foreign bytes raise whatever the unpickler stumbles over
        raise RunError(f"{weights.path} cannot be read as weights: save a plain state dict.") from None
    if not isinstance(stored, dict) or not all(isinstance(t, Tensor) for t in stored.values()):
        raise RunError(f"{weights.path} holds more than a state dict: save model.state_dict() alone.")
    return {str(key): tensor for key, tensor in stored.items()}
