"""Tiles cut from a sprite are the right ones, and what is wrong with a sprite is survived."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penviz.plot.thumbnails import data_uris, read_sprite

LAYOUT = {"columns": 3, "side": 4, "count": 7}


@pytest.fixture
def sprite_file(tmp_path: Path) -> Path:
    """Three rows of three tiles; the tile i is grey 20 i."""
    shades = np.arange(9, dtype=np.uint8).reshape(3, 3) * 20
    picture = np.repeat(np.repeat(shades, 4, 0), 4, 1)
    path = tmp_path / "thumbnails-train.webp"
    Image.fromarray(picture).convert("RGB").save(path, lossless=True)
    return path


def test_tile_i_is_row_i(sprite_file: Path) -> None:
    sprite = read_sprite(sprite_file, LAYOUT)
    assert sprite is not None
    for i, uri in zip((0, 2, 3, 6), data_uris(sprite, [0, 2, 3, 6]), strict=True):
        assert uri is not None
        image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
        assert image.size == (4, 4)
        assert np.asarray(image).max() == np.asarray(image).min() == 20 * i


def test_rows_beyond_the_sprite_have_no_tile(sprite_file: Path) -> None:
    sprite = read_sprite(sprite_file, LAYOUT)
    assert sprite is not None
    assert data_uris(sprite, [7, -1]) == [None, None]
    too_many = read_sprite(sprite_file, LAYOUT | {"count": 100})
    assert too_many is not None
    assert data_uris(too_many, [50]) == [None]


@pytest.mark.parametrize("layout", [None, {}, {"columns": 0, "side": 4, "count": 1}, {"columns": "x"}])
def test_an_undescribed_sprite_is_none(sprite_file: Path, layout: dict[str, int] | None) -> None:
    assert read_sprite(sprite_file, layout) is None


def test_a_damaged_or_missing_sprite_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad.webp").write_bytes(b"RIFF no")
    assert read_sprite(tmp_path / "bad.webp", LAYOUT) is None
    assert read_sprite(tmp_path / "none.webp", LAYOUT) is None
