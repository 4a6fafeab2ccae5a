"""A zip with folders of images, one a class: what it holds, and unpacking it without surprises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from penviz import InputError
from penviz.external.reader.archive import Archive, Member
from penviz.external.reader.image_size import image_size
from penviz.external.reader.kinds import IMAGE_SUFFIXES
from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused, printable
from penviz.store.whole_directory import whole_directory

SPLITS = ("train", "validation", "val", "test")
HEAD_BYTES = 2**18
"""Enough for the size of an image: a JPEG can carry a thumbnail and a colour profile before its frame."""

JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
LAYOUT = "Zip a folder with train/<class>/<image> and validation/<class>/<image>, or with <class>/<image>."


@dataclass(frozen=True)
class FolderSummary:
    """What a zip of images holds.

    Attributes:
        root: path inside the zip above the splits or classes, "" for none.
        splits: split -> number of images; the one key "" where the folders of the classes stand at the top.
        class_names: in alphabetical order, as in the folder of training images.
        n_left_out: files that are no images and were left out.
    """

    root: str
    splits: dict[str, int]
    class_names: tuple[str, ...]
    n_left_out: int


def unpack_folder(path: Path, out: Path, limits: Limits | None = None) -> FolderSummary:
    """Unpack the images of a zip into a new directory; nothing else of it is written.

    Args:
        path: of the zip; out: the directory to make, holding the splits or the class folders themselves.
        limits: of lengths, numbers and pixels.

    Raises:
        Refused: a zip that is damaged or made to mislead, names that leave it, bombs, other layouts, files
            that are named as images and are none. Nothing is left behind.
        InputError: the directory exists.
    """
    limits = limits or Limits()
    if out.exists():
        raise InputError(f"{out} exists already.")
    with path.open("rb") as file:
        archive = Archive.read(file, limits)
        summary, images = _layout(archive, limits)
        with whole_directory(out, private=True) as part:
            for member in images:
                _write(archive, member, part / member.name.removeprefix(summary.root), limits)
    return summary


def describe(archive: Archive, limits: Limits) -> dict[str, Any]:
    """Fields of the report of a zip of images; the head of every image is read.

    Raises:
        Refused: as unpack_folder.
    """
    summary, images = _layout(archive, limits)
    for member in images:
        _check_head(_head(archive, member), member, limits)
    extras = {
        **{name or "images": f"{n:,} images" for name, n in summary.splits.items()},
        "classes": printable(", ".join(summary.class_names[:50])),
    }
    n = len(summary.class_names)
    return {"extras": extras, "n_classes": n, "n_classes_evidence": f"{n:,} folders of images"}


def _layout(archive: Archive, limits: Limits) -> tuple[FolderSummary, list[Member]]:
    """Where splits and classes stand; all images must lie in folders of classes."""
    images, n_left_out = _images(archive, limits)
    paths = [PurePosixPath(member.name).parts for member in images]
    above = _depth_of_root(paths)
    if any(len(p) < above + 2 for p in paths):
        raise Refused("The zip holds images outside the folders of classes.", LAYOUT)
    root = "".join(f"{part}/" for part in paths[0][:above])
    firsts = {p[above] for p in paths}
    has_splits = firsts <= set(SPLITS)
    if has_splits and any(len(p) < above + 3 for p in paths):
        raise Refused("The zip holds images outside the folders of classes.", LAYOUT)
    splits: dict[str, int] = {}
    classes: set[str] = set()
    for p in paths:
        split = p[above] if has_splits else ""
        splits[split] = splits.get(split, 0) + 1
        classes.add(p[above + has_splits])
    if len(classes) > limits.n_classes:
        raise Refused(
            f"The zip holds {len(classes):,} folders of images; at most {limits.n_classes:,} are read."
        )
    return FolderSummary(root, splits, tuple(sorted(classes)), n_left_out), images


def _images(archive: Archive, limits: Limits) -> tuple[list[Member], int]:
    """The images of a zip, and how many other files are left out."""
    images, n_left_out = [], 0
    for member in archive.members.values():
        parts = PurePosixPath(member.name).parts
        if member.is_folder or any(part in JUNK or part.startswith(".") for part in parts):
            continue
        if not member.name.lower().endswith(IMAGE_SUFFIXES):
            n_left_out += 1
            continue
        if any(len(part.encode()) > 200 for part in parts):
            raise Refused(f"A name in the zip is too long: {printable(member.name, 80)!r}.")
        if member.size > limits.image_bytes:
            raise Refused(f"{printable(member.name, 80)} in the zip has {member.size:,} bytes.")
        images.append(member)
    if not images:
        raise Refused("The zip holds no images.", LAYOUT)
    return images, n_left_out


def _depth_of_root(paths: list[tuple[str, ...]]) -> int:
    """How many folders all images have in common above those of the splits or classes."""
    above = 0
    while len({p[above] for p in paths if len(p) > above + 2}) == 1 and all(
        len(p) > above + 2 for p in paths
    ):
        if paths[0][above] in SPLITS:
            break
        above += 1
    return above


def _head(archive: Archive, member: Member) -> bytes:
    head = b""
    for chunk in archive.chunks(member):
        head += chunk
        if _is_enough(head, member):
            break
    return head


def _is_enough(head: bytes, member: Member) -> bool:
    """Whether the size of the image can be told from this; a TIFF may keep it at its very end."""
    is_tiff = head.startswith((b"II*\0", b"MM\0*"))
    return len(head) >= (member.size if is_tiff else min(HEAD_BYTES, member.size))


def _check_head(head: bytes, member: Member, limits: Limits) -> None:
    size = image_size(head)
    shown = printable(member.name, 80)
    if size is None:
        raise Refused(f"{shown} in the zip is named as an image and is none that penviz reads.", LAYOUT)
    width, height = size
    if not 0 < width <= limits.image_side or not 0 < height <= limits.image_side:
        raise Refused(f"{shown} in the zip claims {width:,} x {height:,} pixels.")
    if width * height > limits.image_pixels:
        raise Refused(f"{shown} in the zip claims {width:,} x {height:,} pixels.")


def _write(archive: Archive, member: Member, target: Path, limits: Limits) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    head = b""
    checked = False
    with target.open("xb") as out:
        for chunk in archive.chunks(member):
            if not checked:
                head += chunk
                if checked := _is_enough(head, member):
                    _check_head(head, member, limits)
            out.write(chunk)
    if not checked:
        _check_head(head, member, limits)
