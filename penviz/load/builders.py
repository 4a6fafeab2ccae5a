"""How a network of each origin is built: penviz's own, CIFAR ResNets, torchvision, timm, local files."""

from __future__ import annotations

import inspect
import math
import os
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from penviz.learn import models
from penviz.load.cifar_resnets import CIFAR_NAMES, CifarResNet
from penviz.runs import RunError

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

AUXILIARY = ("googlenet", "inception_v3")
"""torchvision's networks with auxiliary classifiers, which most saved files lack: `NAME-without-aux`."""


def builder(name: str, n_classes: int, shapes: Shapes, local: bool) -> Callable[[], nn.Module]:
    """What builds a network by name; RunError for an unknown name, see `architectures.build`."""
    prefix, _, rest = name.partition(":")
    if not rest:
        models.architecture(name)
        return lambda: models.build(name, penviz_input(shapes), n_classes)
    if prefix == "cifar":
        if rest not in CIFAR_NAMES:
            raise RunError(f"There is no network {name}: choose one of cifar:{', cifar:'.join(CIFAR_NAMES)}.")
        depth, shortcut, head = CIFAR_NAMES[rest]
        return lambda: CifarResNet(depth, n_classes, input_channels(shapes), shortcut, head)
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
        options["img_size"] = side
    if options["in_chans"] == 3:
        del options["in_chans"]
    return lambda: timm.create_model(name, pretrained=False, num_classes=n_classes, **options)


def _hugging_face(directory: Path, n_classes: int) -> Callable[[], nn.Module]:
    if not (directory / "config.json").is_file():
        raise RunError(f"{directory} has no config.json: hf: takes a local directory of Hugging Face.")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported: never a network
    try:
        from transformers import AutoConfig, AutoModelForImageClassification
    except ImportError:
        raise RunError(
            "transformers is not installed: pip install transformers, "
            'or pip install -e ".[hf]" in the directory of penviz.'
        ) from None
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


def _factory(module: str, function: str, n_classes: int) -> Callable[[], nn.Module]:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = pkgutil.resolve_name(f"{module}:{function}")
    except (ImportError, AttributeError, ValueError) as error:
        raise RunError(f"{module}:{function} cannot be imported ({error}).") from None

    def construct() -> nn.Module:
        takes = inspect.signature(found).parameters
        keyword = next((k for k in ("num_classes", "n_classes") if k in takes), "")
        network = found(**({keyword: n_classes} if keyword else {}))
        if not isinstance(network, nn.Module):
            raise RunError(f"{module}:{function} returned {type(network).__name__}, not a torch module.")
        return network

    return construct
