"""What weights that penviz wrote say of their training: text that anybody can write, so it is only tried."""

from __future__ import annotations

from collections.abc import Mapping

from penviz.external.reader.report import Refused
from penviz.external.reader.safetensors_header import strict_json

KEY = "penviz"
"""Of the metadata of a safetensors file, under which penviz writes its own."""

MOST_CHARS = 80
LARGEST_SIDE = 1024
RANGES = {
    "crop": (0, LARGEST_SIDE),
    "image_size": (1, LARGEST_SIDE),
    "seed": (0, 2**31 - 1),
    "split_seed": (0, 2**31 - 1),
    "hold_out": (0, 10**7),
}
"""Whole numbers of a configuration that are read, with the least and the greatest."""


def stated_training(metadata: Mapping[str, str]) -> dict[str, str | int]:
    """Fields of a training's configuration that decide the pixels, and which images it held out.

    Args:
        metadata: of a safetensors file.

    Returns:
        Those of model, dataset, crop, image_size, seed, split_seed and hold_out that are there, of the right
        type and within range; nothing where the model is not named. crop and image_size are pixels, a crop of
        0 the whole image.
    """
    try:
        config = strict_json(metadata.get(KEY, "{}").encode(), "metadata").get("config")
    except (Refused, UnicodeEncodeError):
        return {}
    if not isinstance(config, dict):
        return {}
    found: dict[str, str | int] = {}
    for key in ("model", "dataset"):
        value = config.get(key)
        if isinstance(value, str) and 0 < len(value) <= MOST_CHARS and value.isprintable():
            found[key] = value
    for key, (least, most) in RANGES.items():
        value = config.get(key)
        if type(value) is int and least <= value <= most:
            found[key] = value
    return found if "model" in found else {}
