"""Images of every kind that Pillow reads as 8-bit RGB: 16 bits scaled, photographs turned upright."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SIXTEEN_BITS = "16-bit grey and scaled to 8 bits"
TURNED = "turned upright, as their EXIF orientation says"
TRANSPARENT = "partly transparent, which is left out"

_ORIENTATION = 0x0112
_NO_ORIENTATION = (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, struct.error)
"""What reading damaged EXIF data raises; an image without a readable orientation stands as it is stored."""


class UnknownPixels(ValueError):
    """Pixels whose colours are not defined; the message is what they are, and what to do."""


def as_rgb(image: Image, upright: bool = True) -> tuple[Image, tuple[str, ...]]:
    """An image as 8-bit RGB, and what was done to it beyond that.

    Args:
        image: of any mode; upright: whether an EXIF orientation is followed. Published sets are read without,
            as torchvision reads them.

    Returns:
        The image, and which of SIXTEEN_BITS, TURNED and TRANSPARENT hold of it.

    Raises:
        UnknownPixels: 32-bit pixels, which have no largest value, or colours that Pillow cannot convert.
        OSError: damaged pixels.
    """
    from PIL import Image as images
    from PIL import ImageOps

    done = []
    if upright and _is_turned(image):
        image = ImageOps.exif_transpose(image)
        done.append(TURNED)
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        image = images.fromarray(np.round(values / 257).astype(np.uint8))  # 65535 is white
        done.append(SIXTEEN_BITS)
    if image.mode in ("I", "F"):
        raise UnknownPixels(
            f"has 32-bit pixels (mode {image.mode}), of which no value is known to be white: save it with 8 "
            "or 16 bits"
        )
    if image.mode in ("La", "RGBa"):  # colours that were multiplied by the opacity
        image = image.convert(image.mode.upper())
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            done.append(TRANSPARENT)
    try:
        return image.convert("RGB"), tuple(done)
    except ValueError:
        raise UnknownPixels(f"has pixels of the kind {image.mode}: save it as RGB") from None


def _is_turned(image: Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except _NO_ORIENTATION:
        return False


def sentences(found: Iterable[tuple[str, ...]], where: str) -> list[str]:
    """What was done to some images, a sentence a kind: how many, and of how many."""
    counts: dict[str, int] = {}
    n = 0
    for done in found:
        n += 1
        for words in done:
            counts[words] = counts.get(words, 0) + 1
    return [
        f"{many:,} of {n:,} images in {where} {'are' if many > 1 else 'is'} {words}."
        for words, many in counts.items()
    ]
