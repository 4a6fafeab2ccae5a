"""Every reader of penviz with sound files for it: what the fuzz changes and reads."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from external.reader.corpus_code import code_routes
from external.reader.test_mutations import LIMITS, sound_files
from PIL import Image
from safetensors.numpy import save as save_arrays
from small_runs import make_run, small_activations, small_snapshots

from penviz import InputError
from penviz.external.importing.arrays import read_arrays
from penviz.external.importing.packed import open_packed
from penviz.external.networks.weights import read_weights
from penviz.external.reader.images_zip import unpack_folder
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import OF_WEIGHTS
from penviz.external.sandbox.answer import BadMessage, messages
from penviz.external.sandbox.handover import hand_over
from penviz.figures.spec import FigureSpec
from penviz.plot.thumbnails import read_sprite
from penviz.store.activations import Activations
from penviz.store.run_activations import load
from penviz.store.runs import read_run
from penviz.store.shards import ShardedActivations
from penviz.store.snapshots import Snapshots
from penviz.store.write_shards import shard
from penviz.training import data
from penviz.training.class_names import read_class_names


@dataclass
class Reader:
    """One way in: sound files by name, of which one is changed, and what reads a directory of them."""

    files: dict[str, bytes]
    read: Callable[[Path], object]


def readers(place: Path, canary: Path) -> dict[str, Reader]:
    """Every reader with its sound files."""
    run = make_run(place / "runs", "hard", per_class=4, thumbnails=True)
    small_snapshots(epochs=(1, 2)).save(run / "snapshots-train.npz")
    files = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".safetensors"}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"hard/{name}", content)
    split = shard(small_activations(per_class=20), place / "sharded" / "activations-train", rows=70)
    assert split is not None
    below = place / "sharded" / "activations-train"
    shards = {str(path.relative_to(below)): path.read_bytes() for path in below.rglob("*") if path.is_file()}
    arrays = {"features": np.ones((6, 3), "<f4"), "labels": np.arange(6), "weight": np.ones((6, 3), "<f4")}
    np.savez(stored := io.BytesIO(), **arrays)
    pixels = {"x_train": np.zeros((4, 3, 3), np.uint8), "y_train": np.arange(4) % 2}
    pixels |= {"x_test": pixels["x_train"], "y_test": pixels["y_train"], "class_names": np.array(["a", "b"])}
    np.savez_compressed(images := io.BytesIO(), **pixels)
    found: dict[str, Reader] = {}
    for name, (content, wrap) in sound_files(canary).items():
        found[f"file {name}"] = Reader({"file": wrap(content)}, lambda at, name=name: _use(at / "file", name))
    for name, code in code_routes(canary).items():
        found[f"code {name}"] = Reader({"file": code}, lambda at: _use(at / "file", "theirs.pkl"))
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
        Image.fromarray(grey).save(picture := io.BytesIO(), kind)
        for suffix in ("png", "tif"):
            found[f"image {kind} as {suffix}"] = Reader(
                {
                    f"{part}/{name}/1.{suffix}": picture.getvalue()
                    for part in ("train", "val")
                    for name in "ab"
                },
                lambda at: data.load(str(at), image_size=6),
            )
    return found | {
        "run": Reader(files, _open_run),
        "run zip": Reader({"run.zip": packed.getvalue()}, lambda at: open_packed(at / "run.zip", at / "out")),
        "handover": Reader({f"run/{k}": v for k, v in files.items()}, _hand_over),
        "shards": Reader(shards, lambda at: ShardedActivations.open(at).triple([0, 1, 2])),
        "activations": Reader(
            {"a.npz": files["activations-train.npz"]}, lambda at: Activations.load(at / "a.npz")
        ),
        "snapshots": Reader(
            {"s.npz": files["snapshots-train.npz"]}, lambda at: Snapshots.load(at / "s.npz").at(0)
        ),
        "arrays npz": Reader({"a.npz": stored.getvalue()}, lambda at: read_arrays(at / "a.npz")),
        "arrays safetensors": Reader({"a": save_arrays(arrays)}, lambda at: read_arrays(at / "a")),
        "images npz": Reader({"i.npz": images.getvalue()}, lambda at: data.load(str(at / "i.npz"))),
        "thumbnails": Reader({"t.webp": files["thumbnails-train.webp"]}, _thumbnails),
        "plane recipe": Reader({"r.yaml": PLANE}, lambda at: FigureSpec.read(at / "r.yaml")),
        "chart recipe": Reader({"r.yaml": CHART}, lambda at: FigureSpec.read(at / "r.yaml")),
        "class names": Reader(
            {"names.txt": b"cat\ndog\nbird\n"}, lambda at: read_class_names(str(at / "names.txt"))
        ),
        "message": Reader(
            {"m": b'{"tell": {"done": 1}}\n{"result": {"tensors": [1, 2.5, null]}}\n'}, _messages
        ),
    }


VERSION = Path(__file__).parents[1] / "version_0_1"
PLANE, CHART = (VERSION / "plane.yaml").read_bytes(), (VERSION / "chart.yaml").read_bytes()


def _use(path: Path, name: str) -> None:
    """As the sandbox does: what it is, then all that it holds."""
    report = inspect_file(path, name=name, limits=LIMITS)
    json.dumps(report.to_json())
    if report.refusal:
        raise InputError(report.refusal)
    if report.kind == "zip of images":
        unpack_folder(path, path.parent / "out")
    elif report.holds_activations:
        read_arrays(path)
    elif report.kind in OF_WEIGHTS and sum(t.n_bytes for t in report.tensors) < 2**26:
        read_weights(path, report)


def _open_run(directory: Path) -> None:
    run = read_run(directory)
    load(run)
    run.judged_on()


def _hand_over(directory: Path) -> None:
    hand_over(directory / "run", directory / "place", replace=False)


def _thumbnails(directory: Path) -> None:
    sprite = read_sprite(directory / "t.webp", {"columns": 20, "side": 8, "count": 40})
    if sprite is None:
        raise InputError("no thumbnails.")
    sprite.tile(39)


def _messages(directory: Path) -> None:
    try:
        with (directory / "m").open("rb") as stream:
            list(messages(stream))
    except BadMessage as error:
        raise InputError(f"{error}.") from None
