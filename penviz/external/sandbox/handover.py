"""What a job made, looked at by the app and given its place.

The child that made it may have been taken over by the file that it read. The app opens runs in its own
process, so nothing is moved that is more than files and directories, or takes too much memory to open.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from penviz.external.reader.archive import Archive
from penviz.external.reader.image_size import image_size
from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused
from penviz.external.sandbox.answer import SandboxError

INFLATION_RATIO = 1032
"""A dead network has features of zeros, which deflate packs this small: the inflated size is bounded."""

HEAD_BYTES = 1 << 16
"""Of an image; its size stands in the first few."""


def hand_over(made: Path, place: Path, replace: bool) -> None:
    """Check a directory that a job made and move it to its place on the same disk.

    Args:
        made: the directory; place: where it goes; replace: whether an older one there gives way.

    Raises:
        SandboxError: it is missing, holds what a run or a folder of images does not, or its place is taken.
    """
    if place.exists() and not replace:
        raise SandboxError("refused", f"{place.name} exists already.")
    try:
        _check(made)
    except (OSError, Refused) as error:
        sentence = "What the process that read this made is not used"
        reason = str(error) if isinstance(error, Refused) else "it cannot be read."
        raise SandboxError("died", f"{sentence}: {reason}") from None
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        old = Path(tempfile.mkdtemp(dir=made.parent)) / "old"
        os.replace(place, old)
        os.replace(made, place)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(made, place)


def _check(made: Path) -> None:
    if not stat.S_ISDIR(made.lstat().st_mode):
        raise Refused("it is no directory.")
    limits = Limits(inflation_ratio=INFLATION_RATIO)
    n_files = 0
    for root, directories, names in os.walk(made):
        for path in (Path(root, name) for name in (*directories, *names)):
            status = path.lstat()
            n_files += 1
            if n_files > 2 * limits.n_members:
                raise Refused("it holds too many files.")
            if not stat.S_ISDIR(status.st_mode):
                if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                    raise Refused("it holds a link or a device.")
                _check_file(path, status.st_size, limits)


def _check_file(path: Path, n_bytes: int, limits: Limits) -> None:
    """Bound what the app takes to open a file of a run: its record, its arrays, its thumbnails."""
    if path.suffix == ".json" and n_bytes > limits.header_bytes:
        raise Refused("its record is too long.")
    if path.suffix == ".npz":
        with path.open("rb") as file:
            Archive.read(file, limits)
    if path.suffix == ".webp":
        with path.open("rb") as file:
            width, height = image_size(file.read(HEAD_BYTES)) or (0, 0)
        if not 0 < width * height <= limits.image_pixels:
            raise Refused("an image in it is too large.")
