"""A run that penviz packed into a zip, opened again: every file is read here and written anew."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from penviz import InputError
from penviz.external.importing.new_directory import new_directory
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.run_zip import unpack_run
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.runs import (
    MODEL_FILE,
    RUN_FILE,
    activations_path,
    read_run,
    stored_path,
    thumbnails_path,
    write_json,
)
from penviz.store.snapshots import Snapshots, snapshots_path

MOST_PIXELS = 60_000_000
"""Of a sprite of thumbnails; the app decodes it as a whole."""


def open_packed(path: Path, out: Path) -> Path:
    """Unpack a run into a new directory.

    The app reads activations and snapshots in its own process, so they are checked and written anew; a
    sprite that is too large to be decoded there is left out, and so is erasure.json, which is made again.

    Raises:
        InputError: not a run, damaged files, a directory in use. Nothing is left behind.
    """
    with tempfile.TemporaryDirectory() as place:
        unpacked = Path(place) / "run"
        unpack_run(path, unpacked)
        run = read_run(unpacked)
        if not run.splits():
            raise RunError("The zip holds a run without activations.")
        with new_directory(out) as part:
            model = unpacked / MODEL_FILE
            if model.exists():
                report = inspect_file(model)
                if report.kind != "safetensors" or report.refusal:
                    raise RunError(f"The weights in the zip are damaged. {report.refusal}".strip())
                shutil.copyfile(model, part / MODEL_FILE)
            for split in run.splits():
                if stored_path(unpacked, split) != activations_path(unpacked, split):
                    raise RunError("The zip holds a run in shards, which is too large to be brought so.")
                Activations.load(activations_path(unpacked, split)).save(activations_path(part, split))
                if (film := snapshots_path(unpacked, split)).exists():
                    Snapshots.load(film).save(snapshots_path(part, split))
                sprite = thumbnails_path(unpacked, split)
                if sprite.exists() and _decodes(sprite):
                    shutil.copyfile(sprite, thumbnails_path(part, split))
            write_json(part / RUN_FILE, run.record)
    return out


def _decodes(sprite: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(sprite, formats=["WEBP"]) as image:
            return image.width * image.height <= MOST_PIXELS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, InputError):
        return False
