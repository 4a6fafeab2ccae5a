"""A run that penviz packed into one zip: what it holds, and unpacking it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.external.reader.archive import Archive, Member
from penviz.external.reader.limits import Limits
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.safetensors_header import strict_json
from penviz.store.whole_directory import whole_directory

_FILES = re.compile(
    r"(run\.json|erasure\.json|model\.safetensors|((activations|snapshots)-[a-z]{1,20}\.npz)"
    r"|(thumbnails-[a-z]{1,20}\.webp))\Z"
)
"""The files of a run; README's list of what a run directory holds."""


def describe_run(archive: Archive, limits: Limits) -> dict[str, Any]:
    """Fields of the report of a zipped run.

    Raises:
        Refused: other files than those of a run, a run.json that is no record.
    """
    members = _members(archive)
    record = strict_json(archive.content(members["run.json"], limits.header_bytes), "run.json of the zip")
    config = record.get("config")
    if not isinstance(config, dict):
        raise Refused("The run.json of the zip is not that of a penviz run.")
    told = {key: config.get(key) for key in ("dataset", "model", "targets")}
    extras = {key: printable(value, 80) for key, value in told.items() if isinstance(value, str)}
    names = record.get("class_names")
    n = len(names) if isinstance(names, list) else None
    return {
        "extras": {**extras, "files": printable(", ".join(sorted(members)))},
        "n_classes": n,
        "n_classes_evidence": "class_names of run.json" if n is not None else "",
    }


def unpack_run(path: Path, out: Path, limits: Limits | None = None) -> None:
    """Unpack a zipped run into a new directory; the files in it are then foreign files like any other.

    Raises:
        Refused: as describe_run, and a damaged zip; nothing is left behind.
        InputError: the directory exists.
    """
    limits = limits or Limits()
    if out.exists():
        raise InputError(f"{out} exists already.")
    with path.open("rb") as file:
        archive = Archive.read(file, limits)
        describe_run(archive, limits)
        with whole_directory(out, private=True) as part:
            for name, member in _members(archive).items():
                with (part / name).open("xb") as target:
                    for chunk in archive.chunks(member):
                        target.write(chunk)


def _members(archive: Archive) -> dict[str, Member]:
    """Name of a file in the run -> member; the zip may hold the run in one folder."""
    files = {name: member for name, member in archive.members.items() if not member.is_folder}
    root = next((n for n in files if n.count("/") <= 1 and n.split("/")[-1] == "run.json"), "").removesuffix(
        "run.json"
    )
    for name in files:
        if not name.startswith(root) or not _FILES.match(name.removeprefix(root)):
            raise Refused(f"The zip holds {printable(name, 80)}, which is no file of a run.")
    return {name.removeprefix(root): member for name, member in files.items()}
