"""How a network of each origin is built: penviz's own, of repositories, torchvision, timm, local files."""

from __future__ import annotations

import inspect
import math
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from penviz.did_you_mean import did_you_mean
from penviz.external.networks import cifar_resnets, known_tables, renamings, tutorial_networks
from penviz.external.networks.layer_tables import TableNetwork
from penviz.store.run_config import RunError
from penviz.training import models

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

LIBRARIES = ("cifar", "tutorial", "torchvision", "timm", "hf", "penviz")
"""Prefixes of known networks; any other is the module of a factory of the user's."""

AUXILIARY = ("googlenet", "inception_v3")
"""torchvision's networks with auxiliary classifiers, which most saved files lack: `NAME-without-aux`."""


def builder(name: str, n_classes: int, shapes: Shapes, local: bool) -> Callable[[], nn.Module]:
    """What builds a network by name; RunError for an unknown name, see `architectures.build`."""
    prefix, _, rest = name.partition(":")
    if not rest:
        if name not in models.MODELS:
            known = ", ".join(models.MODELS)
            meant = did_you_mean(name, models.MODELS)
            raise RunError(
                f"There is no network {name}{meant}: choose one of {known}, or cifar:NAME, torchvision:NAME, "
                "timm:NAME, hf:DIR, module:factory."
            )
        return lambda: models.build(name, penviz_input(shapes), n_classes)
    if prefix == "penviz":
        models.architecture(rest)
        return lambda: models.build(rest, (input_channels(shapes), 224, 224), n_classes)
    if prefix in ("cifar", "tutorial"):
        steps = known_tables.table(name, n_classes, shapes)
        if steps is None:
            raise RunError(f"There is no network {name}{_instead(prefix, rest)}.")
        return lambda: TableNetwork(steps)
    if prefix == "torchvision":
        return _torchvision(rest, n_classes, shapes)
    if prefix == "timm":
        return _timm(rest, n_classes, shapes)
    if prefix == "hf":
        return _hugging_face(Path(rest), n_classes)
    if not local:
        raise RunError(
            f"There is no network {name}: names of one's own modules work on the command line only."
        )
    return _factory(prefix, rest, n_classes)


def _instead(prefix: str, rest: str) -> str:
    """What to take for an unknown name, or why a known one cannot be built."""
    if prefix == "cifar" and rest in known_tables.FAMILIES:
        return " with the keys of this file"
    known = (
        tutorial_networks.NAMES if prefix == "tutorial" else (*cifar_resnets.NAMES, *known_tables.FAMILIES)
    )
    return f": choose one of {', '.join(f'{prefix}:{one}' for one in known)}"


def is_factory(name: str) -> bool:
    """Whether a name is `package.module:factory`."""
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix not in LIBRARIES


def input_channels(shapes: Shapes) -> int:
    """Input channels: those of the file's first convolution, 3 without one."""
    stem = next((shape for shape in shapes.values() if len(shape) == 4), None)
    return stem[1] if stem is not None and stem[1] in (1, 3) else 3


def penviz_input(shapes: Shapes) -> tuple[int, int, int]:
    """(channels, height, width) that penviz's own networks were built for, read off a file's shapes."""
    side, channels = 32, input_channels(shapes)
    dense, hidden = shapes.get("features.1.weight"), shapes.get("features.9.weight")
    if dense is not None and len(dense) == 2:  # two fully connected layers: one weight a pixel and channel
        channels = 1 if math.isqrt(dense[1]) ** 2 == dense[1] else 3
        side = math.isqrt(dense[1] // channels)
    elif hidden is not None and len(hidden) == 2:  # tutorial_alexnet: 64 channels after halving twice
        side = 4 * math.isqrt(hidden[1] // 64)
    return channels, side, side


def patch_side(shapes: Shapes, positions: str, patch: str) -> int | None:
    """Image side of a vision transformer from its position embedding [1, tokens, d] and patch convolution."""
    tokens, kernel = shapes.get(positions), shapes.get(patch)
    if tokens is None or kernel is None or len(tokens) != 3 or len(kernel) != 4:
        return None
    return max(1, math.isqrt(tokens[1])) * kernel[-1]


def _torchvision(name: str, n_classes: int, shapes: Shapes) -> Callable[[], nn.Module]:
    from torchvision import models as zoo

    options: dict[str, Any] = {}
    plain = name.removesuffix("-without-aux")
    if plain not in zoo.list_models(module=zoo):
        raise RunError(f"torchvision has no classification network {name}.")
    if plain in AUXILIARY:
        options = {"init_weights": False, "aux_logits": plain == name}
    side = patch_side(shapes, "encoder.pos_embedding", "conv_proj.weight")
    if plain.startswith("vit_") and side:
        options["image_size"] = side
    return lambda: zoo.get_model(plain, weights=None, num_classes=n_classes, **options)


def _timm(name: str, n_classes: int, shapes: Shapes) -> Callable[[], nn.Module]:
    try:
        import timm
    except ImportError:
        raise RunError(
            'timm is not installed: pip install timm, or pip install -e ".[timm]" in the directory of penviz.'
        ) from None
    if not timm.is_model(name):
        raise RunError(f"timm has no network {name}.")
    options: dict[str, Any] = {"in_chans": input_channels(shapes)}
    side = patch_side(shapes, "pos_embed", "patch_embed.proj.weight")
    own = timm.get_pretrained_cfg(name)
    if name.startswith(("vit_", "deit")) and side and own is not None and own.input_size[-1] != side:
        options |= {"img_size": side, "patch_size": shapes["patch_embed.proj.weight"][-1]}
    if options["in_chans"] == 3:
        del options["in_chans"]
    return lambda: timm.create_model(name, pretrained=False, num_classes=n_classes, **options)


def _hugging_face(directory: Path, n_classes: int) -> Callable[[], nn.Module]:
    if not (directory / "config.json").is_file():
        raise RunError(f"{directory} has no config.json: hf: takes a local directory of Hugging Face.")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported: never a network
    try:
        from transformers import AutoConfig, AutoModelForImageClassification
        from transformers.utils import logging
    except ImportError:
        raise RunError(
            "transformers is not installed: pip install transformers, "
            'or pip install -e ".[hf]" in the directory of penviz.'
        ) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        config.num_labels = n_classes
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{directory / 'config.json'} describes no network that transformers knows.") from None

    def construct() -> nn.Module:
        try:
            return AutoModelForImageClassification.from_config(config, trust_remote_code=False)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{directory} holds no image classifier.") from None

    return construct


def renamed(network: nn.Module, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights under the keys that a network has, for a file with those of others or of older versions.

    Since version 5 of transformers its networks and its files differ too, and its own loading translates.
    Weights that do not fit come back as they are.
    """
    own = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    shapes = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    if renamings.in_order(shapes):
        return renamings.by_order(own, weights, shapes) or weights
    today, whose = renamings.plain(weights)
    weights = today if whose and not weights.keys() <= own.keys() else weights
    load = getattr(type(network), "from_pretrained", None)
    if load is None or not hasattr(network, "config") or weights.keys() == network.state_dict().keys():
        return weights
    try:
        with torch.random.fork_rng(devices=[]):
            made, said = load(None, config=network.config, state_dict=dict(weights), output_loading_info=True)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        return weights
    return weights if any(said.values()) else dict(made.state_dict())


def _factory(module: str, function: str, n_classes: int) -> Callable[[], nn.Module]:
    """A function or class of the user's, of an importable module or of a .py file; K of 0 is left to it."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        if module.endswith(".py"):
            found = runpy.run_path(module, run_name="penviz_model")[function]
        else:
            found = pkgutil.resolve_name(f"{module}:{function}")
    except KeyError:
        raise RunError(f"{module} has no {function}.") from None
    except Exception as error:  # whatever the module raises
        raise RunError(f"{module}:{function} cannot be imported ({_first_line(error)}).") from None

    def construct() -> nn.Module:
        try:
            takes = inspect.signature(found).parameters
            keyword = next((k for k in ("num_classes", "n_classes") if k in takes), "")
            network = found(**({keyword: n_classes} if keyword and n_classes else {}))
        except Exception as error:
            raise RunError(f"{module}:{function} builds no network ({_first_line(error)}).") from None
        if not isinstance(network, nn.Module):
            raise RunError(f"{module}:{function} returned {type(network).__name__}, not a torch module.")
        return network

    return construct


def _first_line(error: Exception) -> str:
    said = str(error).strip().partition("\n")[0][:200].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
