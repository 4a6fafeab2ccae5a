"""Arrays in .npz files: written without a date, read without pickle and only where they are whole."""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penviz.store.atomic_write import whole_file
from penviz.store.head import ActivationsError

DAMAGED: tuple[type[Exception], ...] = (
    *(OSError, ValueError, EOFError, KeyError, AttributeError, TypeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, TokenError),
)
"""What reading a cut, changed or foreign .npz raises, by where the damage lies."""


def write_npz(path: Path, arrays: Mapping[str, Any], compressed: bool = True) -> None:
    """Write arrays: readers never see half a file."""
    with whole_file(path) as part, open(part, "wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
        return {key: whole_array(file[key]) for key in file.files}


def whole_array(stored: Any) -> NDArray[Any]:
    """What NumPy read from a file, as an array: it gives bytes where there is none.

    Raises:
        ValueError: text that Python cannot hold.
    """
    array = np.asarray(stored)
    if array.dtype.kind == "U":
        codes = np.frombuffer(array.astype(array.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if codes.size and codes.max() > sys.maxunicode:
            raise ValueError("characters that do not exist")
    return array


def read_npz(
    path: Path, needed: Sequence[str], what: str, version: int, advice: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of an .npz and its `meta`.

    Args:
        path: of the file; needed: keys that it must have beside meta; what: it holds, in words.
        version: that meta must have; advice: what to do about another one.

    Raises:
        ActivationsError: no such file, not an .npz, keys missing, no readable meta, or another version.
    """
    try:
        try:
            stored = _arrays(path)
        except SystemError:
            # NumPy reads a header with ast.literal_eval. Python 3.11 counts its depth once for all threads:
            # where a garbage collection lets another one parse meanwhile, "AST constructor recursion depth
            # mismatch" is raised. Nothing is wrong with the file.
            stored = _arrays(path)
    except FileNotFoundError:
        raise ActivationsError(f"There is no file {path.name}.") from None
    except DAMAGED as error:
        raise ActivationsError(f"{path.name} cannot be read as an .npz of {what}.") from error
    if missing := {*needed, "meta"} - stored.keys():
        raise ActivationsError(f"{path.name} lacks {', '.join(sorted(missing))}.")
    try:
        meta = json.loads(str(stored["meta"]))
        found = meta["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ActivationsError(f"{path.name} has no readable meta entry.") from None
    if found != version:
        raise ActivationsError(
            f"{path.name} has format {str(found)[:40]}, this penviz reads {version}: {advice}."
        )
    return stored, meta
