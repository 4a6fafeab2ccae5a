"""A directory of images in ImageFolder layout, read into memory at one size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penviz.exit_codes import say
from penviz.store.run_config import RunError
from penviz.training import decoding
from penviz.training.pixel_modes import UnknownPixels, as_rgb, sentences

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Of Pillow, told by a file's first bytes: of its others some start a program to decode (EPS)."""
MOST_PIXELS = 64 * 10**6
"""Of an image, as of a large camera; decoded it takes four bytes a pixel."""
DAMAGED: tuple[type[Exception], ...] = (
    *(OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError, EOFError),
    *(ArithmeticError, MemoryError, struct.error, zlib.error),
)
"""What Pillow raises over a damaged file, by where the damage lies."""
VALIDATION_NAMES = ("validation", "val", "test")


def read_folder(
    root: Path, image_size: int
) -> tuple[dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]], tuple[str, ...]]:
    """Read train/<class>/* and validation/<class>/* (or val/, test/) as RGB, upright (`pixel_modes.as_rgb`).

    Each image is resized so that its shorter side is image_size, then cropped at the centre. Images that
    had to be scaled from 16 bits, turned, or stripped of transparency are counted on standard error.

    Returns:
        Part ("train", "validation", "test") -> (images [n, s, s, 3] uint8, labels [n] int64), as far as they
        are there, and the class names in alphabetical order of the folders.

    Raises:
        RunError: no train/, fewer than two classes, an empty class, other classes in validation, an image
            that cannot be decoded.
    """
    if not (root / "train").is_dir():
        raise RunError(f"{root} has no train/ directory with one folder a class.")
    names = _class_folders(root / "train")
    if len(names) < 2:
        raise RunError(f"{root / 'train'} holds {len(names)} class folders; at least two are needed.")
    parts = {"train": _read_part(root / "train", names, image_size)}
    for part in VALIDATION_NAMES:
        if (root / part).is_dir():
            extra = sorted(set(_class_folders(root / part)) - set(names))
            if extra:
                raise RunError(f"{root / part} has classes that train/ lacks: {', '.join(extra[:5])}.")
            target = "test" if part == "test" else "validation"
            if target not in parts:
                parts[target] = _read_part(root / part, names, image_size)
    return parts, tuple(names)


def _class_folders(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))


def _read_part(
    directory: Path, names: list[str], image_size: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        if not (directory / name).is_dir():
            continue
        listed = sorted(p for p in (directory / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not listed and directory.name == "train":
            raise RunError(f"{directory / name} holds no images.")
        files += listed
        labels += [label] * len(listed)
    if not files:
        raise RunError(f"{directory} holds no images.")
    images = np.empty((len(files), image_size, image_size, 3), np.uint8)
    done: list[tuple[str, ...]] = []
    read = decoding.in_order(lambda file: _read_image(file, image_size), files, ahead=64)
    for row, (image, words) in enumerate(read):
        images[row] = image
        done.append(words)
    for sentence in sentences(done, str(directory)):
        say(sentence)
    return images, np.array(labels, np.int64)


def read_square(path: Path, size: int, interpolation: str = "bilinear") -> NDArray[np.uint8]:
    """One image as RGB [size, size, 3]: its shorter side resized to `size`, then the middle square.

    As torchvision's Resize and CenterCrop do it, which pretrained networks are evaluated with; an EXIF
    orientation is left aside as there, and 16 bits are scaled to 8.

    Raises:
        RunError: the file cannot be decoded.
    """
    return square(_opened(path, upright=False)[0], size, interpolation)


def square(image: Image, size: int, interpolation: str = "bilinear") -> NDArray[np.uint8]:
    """An image of any mode as RGB [size, size, 3]; see `read_square`."""
    from PIL import Image as images

    filters = {name: images.Resampling[name.upper()] for name in ("bilinear", "bicubic", "nearest")}
    image, _ = as_rgb(image, upright=False)
    shorter = min(image.size)
    width, height = (max(size, int(size * side / shorter)) for side in image.size)
    if image.size != (width, height):
        image = image.resize((width, height), filters[interpolation])
    left, top = round((width - size) / 2), round((height - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)), np.uint8)


class ImageFiles:
    """Files that read like an array [n, size, size, 3] of uint8: each is decoded when it is asked for.

    For more images than memory holds. Rows are given as a slice or as an array of integers.
    """

    def __init__(self, files: Sequence[Path], size: int, interpolation: str = "bilinear"):
        self.files, self.size, self.interpolation = list(files), size, interpolation

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, size, size, 3)."""
        return len(self.files), self.size, self.size, 3

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: decoding.Rows) -> NDArray[np.uint8]:
        """The pixels of some rows, decoded: [m, size, size, 3]."""
        chosen = self.only(rows)
        images = np.empty(chosen.shape, np.uint8)
        for row, image in enumerate(chosen):
            images[row] = image
        return images

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """The images [size, size, 3] one by one, those that follow read ahead."""
        return decoding.in_order(self.read, range(len(self)), ahead=64)

    def read(self, row: int) -> NDArray[np.uint8]:
        """One image [size, size, 3]; RunError when it cannot be decoded."""
        return read_square(self.files[row], self.size, self.interpolation)

    def only(self, rows: decoding.Rows) -> ImageFiles:
        """Some rows, not decoded yet."""
        numbers = np.arange(len(self.files))[rows]
        return ImageFiles([self.files[i] for i in numbers], self.size, self.interpolation)


def stored_batches(
    images: NDArray[np.uint8] | ImageFiles, batches: Sequence[decoding.Rows]
) -> Iterator[NDArray[np.uint8]]:
    """The stored pixels of each batch of rows, in order; those of files are read ahead."""
    if isinstance(images, ImageFiles):
        return decoding.decoded(images, batches)
    return (images[rows] for rows in batches)


def _read_image(path: Path, size: int) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    from PIL import ImageOps

    image, done = _opened(path, upright=True)
    return np.asarray(ImageOps.fit(image, (size, size)), np.uint8), done


def _opened(path: Path, upright: bool) -> tuple[Image, tuple[str, ...]]:
    """A file as `as_rgb`.

    Raises:
        RunError: it cannot be decoded, is of another format, has too many pixels, or colours not known.
    """
    from PIL import Image as images

    damaged: tuple[type[Exception], ...] = (*DAMAGED, images.DecompressionBombError)
    try:
        with images.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UnknownPixels(f"has {image.width} x {image.height} pixels: make it smaller")
            return as_rgb(image, upright)
    except UnknownPixels as error:
        raise RunError(f"{path} {error}.") from None
    except damaged as error:
        raise RunError(f"{path} cannot be read as an image.") from error


def remove_empty(directory: Path) -> None:
    """Take away the directories that a download made and left empty, the deepest first."""
    if not directory.is_dir():
        return
    for below in directory.iterdir():
        remove_empty(below)
    if not any(directory.iterdir()):
        directory.rmdir()
