"""Images of every mode of Pillow, and photographs lying on their side, as what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageMode

from penviz.store.run_config import RunError
from penviz.training.folder import read_folder, read_square
from penviz.training.pixel_modes import SIXTEEN_BITS, TRANSPARENT, TURNED, UnknownPixels, as_rgb

GREY = np.add.outer(np.arange(8), 3 * np.arange(8)).astype(np.uint8) * 8  # [8, 8], 0 to 224, unlike its turns
MODES = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"),
    *("I;16", "I;16B", "I;16L", "I;16N"),
)
REFUSED = ("I", "F")
TURNS = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
    6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, -1),
}  # fmt: skip
"""EXIF orientation -> how the picture lies in the file that is to be shown upright (EXIF 2.3, 4.6.4)."""


def in_mode(mode: str) -> Image.Image:
    """The grey picture in some mode, by Pillow's own conversions and not by ours."""
    if mode.startswith("I;16"):
        order = ">u2" if mode == "I;16B" else "<u2"
        data = (GREY.astype(np.uint16) * 257).astype(order).tobytes()
        return Image.frombytes(mode, (8, 8), data)
    grey = Image.fromarray(GREY)
    if mode == "I":
        return Image.fromarray(GREY.astype(np.int32))
    if mode == "F":
        return Image.fromarray(GREY.astype(np.float32))
    if mode in ("La", "LA", "PA"):
        return grey.convert("LA") if mode == "LA" else grey.convert("LA").convert(mode)
    if mode == "RGBa":
        return grey.convert("RGBA").convert("RGBa")
    return grey.convert(mode) if mode in ("1", "L", "P") else grey.convert("RGB").convert(mode)


def test_the_list_of_modes_is_pillows() -> None:
    known = {
        "1",
        "L",
        "I",
        "F",
        "P",
        "RGB",
        "RGBX",
        "RGBA",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
        "RGBa",
        "LA",
        "La",
        "PA",
    }
    assert known <= {*MODES, *REFUSED}
    for mode in (*MODES, *REFUSED):
        assert ImageMode.getmode(mode).mode == mode


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_the_picture_that_it_shows(mode: str) -> None:
    image = in_mode(mode)
    assert image.mode == mode
    shown, done = as_rgb(image)
    assert shown.mode == "RGB"
    wanted = np.asarray(image.convert("L")) if mode == "1" else GREY
    assert np.abs(np.asarray(shown, int) - wanted[..., None].astype(int)).max() <= 2
    assert done == ((SIXTEEN_BITS,) if mode.startswith("I;16") else ())


@pytest.mark.parametrize("mode", REFUSED)
def test_pixels_of_no_known_colour_are_refused(mode: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownPixels, match="save it"):
        as_rgb(in_mode(mode))
    in_mode(mode).save(tmp_path / "a.tif")
    with pytest.raises(RunError, match=r"a\.tif has .*save it .*\.$"):
        read_square(tmp_path / "a.tif", 8)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_in_a_file_are_not_white(ending: str, tmp_path: Path) -> None:
    in_mode("I;16").save(tmp_path / f"a.{ending}")
    assert np.array_equal(read_square(tmp_path / f"a.{ending}", 8)[..., 0], GREY)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_photograph_stands_upright(orientation: int, tmp_path: Path) -> None:
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](GREY)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        shown, done = as_rgb(image)
    assert np.array_equal(np.asarray(shown)[..., 0], GREY)
    assert done == (() if orientation == 1 else (TURNED,))
    with Image.open(tmp_path / "a.png") as image:  # as torchvision reads published sets
        assert np.array_equal(np.asarray(as_rgb(image, upright=False)[0])[..., 0], np.asarray(stored))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(as_rgb(image)[0])[..., 0], GREY)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", quality=100)
    with Image.open(tmp_path / "a.jpg") as image:
        assert as_rgb(image)[1] == ()


def test_a_folder_says_what_was_done_to_how_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("train", "validation"):
        for name in ("a", "b"):
            place = tmp_path / part / name
            place.mkdir(parents=True)
            Image.fromarray(GREY).save(place / "plain.png")
            if part == "train":
                in_mode("I;16").save(place / "deep.png")
    Image.fromarray(GREY).save(tmp_path / "train/a/turned.png", exif=exif)
    clear = Image.fromarray(GREY).convert("RGBA")
    clear.putalpha(7)
    clear.save(tmp_path / "train/b/clear.png")
    parts, _ = read_folder(tmp_path, 8)
    assert parts["train"][0].max() < 255
    said = capfd.readouterr().err
    assert said.splitlines() == [
        f"2 of 6 images in {tmp_path / 'train'} are {SIXTEEN_BITS}.",
        f"1 of 6 images in {tmp_path / 'train'} is {TURNED}.",
        f"1 of 6 images in {tmp_path / 'train'} is {TRANSPARENT}.",
    ]
