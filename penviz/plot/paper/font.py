"""A font of the user's own for a paper figure: read from one file, never looked up among those installed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from penviz import InputError
from penviz.plot.paper.typeface import Face

TAG = re.compile(r" penviz-[0-9a-f]{12}")
"""What stands after a font's own name while a figure is drawn, so that no installed font of that name is
taken in its place; files lose it again."""


def face_from(path: Path, sha256: str, otherwise: Face) -> Face:
    """A face whose letters come from a file.

    Args:
        path: a .ttf or .otf with TrueType outlines; bold letters are drawn from it as they are.
        sha256: of the file; otherwise: for letters that the font lacks, and for mathematics.

    Raises:
        InputError: no such file, no font, or outlines that a PDF cannot hold as TrueType.
    """
    from matplotlib.font_manager import fontManager, ttfFontProperty
    from matplotlib.ft2font import FT2Font

    try:
        start = path.read_bytes()[:4]
        font = FT2Font(str(path))
    except OSError:
        raise InputError(f"There is no font {path}: give a .ttf or .otf file.") from None
    except RuntimeError:
        raise InputError(f"{path} cannot be read as a font: give a .ttf or .otf file.") from None
    if start not in (b"\0\1\0\0", b"true"):
        raise InputError(
            f"{path} has no TrueType outlines, which PDF files of papers need: give a .ttf of the same face."
        )
    name = f"{font.family_name} penviz-{hashlib.sha256(f'{sha256} {path}'.encode()).hexdigest()[:12]}"
    if all(entry.name != name for entry in fontManager.ttflist):
        own = replace(ttfFontProperty(font), name=name, fname=str(path))
        fontManager.ttflist += [replace(own, weight=weight) for weight in (400, 700)]
    return Face((name, *otherwise.family), otherwise.math)


def without_tags(data: bytes) -> bytes:
    """A file as text, fonts called by their own names."""
    return TAG.sub("", data.decode()).encode()
