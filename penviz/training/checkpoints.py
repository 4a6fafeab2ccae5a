"""Files of a training: the model, and the state from which it continues. Safetensors only, no pickle.

Every file is written under a temporary name, flushed to the disk and renamed, so that at any moment each name
holds either the old file or the new one, whole.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from penviz.store.atomic_write import whole_file
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, Run, sha256_of
from penviz.training import images as image_batches
from penviz.training.data_set import DataSet
from penviz.training.models import build
from penviz.training.network import Network

STATE_FILE = "training-state.safetensors"

Loader = Callable[[Run, Sequence[str]], Network]
"""From a run and the class names of the data to its network (`adopted_network.network_of`)."""

Observer = Callable[[str], None]
"""Told the name of each point that a training reaches; tests stop the process there."""


def write_tensors(
    path: Path, tensors: dict[str, Tensor], meta: dict[str, Any], observe: Observer = lambda point: None
) -> None:
    """Write tensors and a JSON-able `meta` to one safetensors file, atomically.

    `observe` is told "<name> written" between the temporary write and the rename, "<name> renamed" after it.

    Raises:
        OSError: the disk is full, or another of its faults.
    """
    with whole_file(path) as part:
        whole = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        try:
            save_file(whole, part, metadata={"penviz": json.dumps(meta)})
        except SafetensorError as error:  # its words hold the number that the system gave
            number = re.search(r"(?:code: |os error )(\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        if stat.S_IMODE(part.stat().st_mode) != (mode := 0o666 & ~_umask()):
            part.chmod(mode)  # safetensors makes it private
        observe(f"{path.name} written")
    observe(f"{path.name} renamed")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote; RunError when the file is not there or not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, json.loads((file.metadata() or {}).get("penviz", "{}"))
    except FileNotFoundError:
        raise RunError(f"There is no {path}.") from None
    except (SafetensorError, OSError, ValueError):
        raise RunError(f"{path} is not a readable safetensors file: copy or train it again.") from None


def network_input(run: Run) -> tuple[tuple[int, int, int], int]:
    """What a run's network is fed, (channels, height, width), and K, from its run.json."""
    try:
        height, width, channels = run.record["image_shape"]
        size = image_batches.input_size(int(height), int(width), run.config.crop)
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run.directory / 'run.json'} has no usable image_shape.") from None
    return (int(channels), *size), len(run.class_names)


def has_weights(run: Run) -> bool:
    """Whether its weights are there, and those that its run.json describes."""
    model = run.directory / MODEL_FILE
    return bool(run.model_sha256) and model.is_file() and sha256_of(model) == run.model_sha256


def check_data(run: Run, dataset: DataSet, splits: Iterable[str]) -> None:
    """RunError unless some splits are those that a run was trained with.

    Of a run that penviz did not train the data as a whole count, because they were split otherwise then.

    Args:
        run: any; dataset: with the share of its training split that the run used (`data.first_share`).
    """
    if run.adopted:
        if run.record.get("source_id") != dataset.source_id:
            raise RunError(f"{run.name} was measured on other data than this {dataset.name}.")
        return
    for name in splits:
        if run.record.get("splits", {}).get(name, {}).get("dataset_id") != dataset.splits[name].dataset_id:
            raise RunError(f"{run.name} was trained on other data than this {dataset.name} ({name}).")


def load_network(run: Run) -> Network:
    """Rebuild a run's network in evaluation mode.

    Raises:
        RunError: no model file (still training), a digest that run.json does not know, keys or shapes that
            do not fit the network.
    """
    check_weights(run)
    path = run.directory / MODEL_FILE
    shape, n_classes = network_input(run)
    network = build(run.config.model, shape, n_classes)
    tensors, _ = read_tensors(path)
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise RunError(f"{path} does not fit the network {run.config.model}.") from None
    return network.eval()


def check_weights(run: Run) -> None:
    """RunError unless a run's weights are there, and those that its run.json describes."""
    path = run.directory / MODEL_FILE
    if not path.is_file() and run.model_sha256:
        raise RunError(f"The weights of {run.name} are not here: copy its {MODEL_FILE} to {run.directory}.")
    if not path.is_file():
        raise RunError(f"{run.name} has no {MODEL_FILE} yet: finish it with penviz train ... --resume.")
    if run.model_sha256 and sha256_of(path) != run.model_sha256:
        raise RunError(f"{path} is not the file that run.json describes: copy or train the run again.")


def choose_device(name: str = "auto") -> torch.device:
    """The device of a name; "auto" takes an accelerator that torch sees (CUDA, MPS), else the CPU.

    Raises:
        RunError: torch does not see the device.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise RunError(f"torch sees no device {name} on this machine.") from None
    if device.type != "cpu" and device.type != choose_device().type:
        raise RunError(f"Nothing can be computed on the device {name} of this machine.")
    return device
