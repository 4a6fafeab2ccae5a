"""Small pictures of the examples, cut from the sprite of a split."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64 * 10**6
"""Of a sprite, which is decoded as a whole, at three bytes a pixel."""


@dataclass(frozen=True)
class Sprite:
    """A grid of square tiles; tile i, counted along rows, shows row i of the activations.

    Attributes:
        image: all tiles; columns: tiles a row; side: of a tile in pixels; count: tiles that are filled.
    """

    image: Image
    columns: int
    side: int
    count: int

    def tile(self, i: int) -> Image | None:
        """Tile i, or None where the sprite has none."""
        if not 0 <= i < self.count:
            return None
        row, column = divmod(i, self.columns)
        left, top = column * self.side, row * self.side
        if left + self.side > self.image.width or top + self.side > self.image.height:
            return None
        return self.image.crop((left, top, left + self.side, top + self.side))


def read_sprite(path: Path, layout: Mapping[str, Any] | None) -> Sprite | None:
    """The sprite in a file, or None where it is absent, unreadable, or not described.

    Args:
        path: a WebP (or PNG) file.
        layout: {"columns", "side", "count"} as run.json has it for the split.
    """
    from PIL import Image, UnidentifiedImageError

    if layout is None:
        return None
    try:
        columns, side, count = (int(layout[key]) for key in ("columns", "side", "count"))
        if min(columns, side) < 1:
            return None
        with Image.open(path, formats=["WEBP", "PNG"]) as file:
            if file.width * file.height > MOST_PIXELS:
                return None
            return Sprite(file.convert("RGB"), columns, side, count)
    except (KeyError, TypeError, ValueError, OSError, Image.DecompressionBombError, UnidentifiedImageError):
        return None


def data_uris(sprite: Sprite, rows: Sequence[int]) -> list[str | None]:
    """Tiles as data URIs that an <img> can show; None where there is no such tile."""
    made: list[str | None] = []
    for row in rows:
        tile = sprite.tile(row)
        if tile is None:
            made.append(None)
            continue
        buffer = io.BytesIO()
        tile.save(buffer, "PNG", compress_level=1)
        made.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"))
    return made
