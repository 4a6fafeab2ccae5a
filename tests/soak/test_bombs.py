"""More than a hundred hostile images and zips of runs: read or refused in a sentence, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from external.reader.small_files import png
from small_runs import make_run, small_snapshots
from soak.bombs import images, run_zips, zip_of
from soak.fuzz import Attempt, attempt

from penviz.external.importing.packed import open_packed
from penviz.external.reader.images_zip import unpack_folder
from penviz.store.run_activations import load
from penviz.store.runs import read_run
from penviz.training import data

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc"
)


def folder(at: Path, name: str, image: bytes) -> None:
    for part in ("train", "val"):
        for label in "ab":
            (at / part / label).mkdir(parents=True)
            (at / part / label / "1.png").write_bytes(png())
    (at / "train/a" / name).write_bytes(image)


@pytest.mark.slow
def test_image_bombs_through_extract_and_through_the_page(tmp_path: Path) -> None:
    canary, bombs = tmp_path / "canary", images()
    faults, refused = [], 0
    for name, image in bombs.items():
        at, zipped = tmp_path / f"{name}-folder", tmp_path / f"{name}-zip"
        folder(at, name, image)
        zipped.mkdir()
        (zipped / "theirs.zip").write_bytes(zip_of(image, name))

        def page(at: Path) -> None:
            unpack_folder(at / "theirs.zip", at / "out")
            data.load(str(at / "out"), image_size=8)

        came = [
            attempt(lambda at: data.load(str(at), image_size=8), at, canary),
            attempt(page, zipped, canary),
        ]
        faults += [f"{name}: {one.fault}" for one in came if one.fault]
        refused += bool(came[0].refusal) + bool(came[1].refusal)
        assert sorted(p.name for p in zipped.iterdir()) in (["theirs.zip"], ["out", "theirs.zip"])
    assert faults == []
    assert len(bombs) >= 60
    assert refused > 80


def test_hostile_zips_of_runs(tmp_path: Path) -> None:
    run = make_run(tmp_path / "home", "run", per_class=4, thumbnails=True)
    small_snapshots("run", epochs=(1, 2)).save(run / "snapshots-train.npz")
    files = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix != ".safetensors"}
    zips = run_zips(files)
    came: dict[str, Attempt] = {}
    for name, content in zips.items():
        at = tmp_path / name
        at.mkdir()
        (at / "theirs.zip").write_bytes(content)

        def opened(at: Path) -> None:
            load(read_run(open_packed(at / "theirs.zip", at / "out")))

        came[name] = attempt(opened, at, tmp_path / "canary")
        left = sorted(p.name for p in at.iterdir())
        assert left == (["theirs.zip"] if came[name].refusal else ["out", "theirs.zip"]), name
    assert {name: one.fault for name, one in came.items() if one.fault} == {}
    assert len(zips) >= 50
    assert sum(bool(one.refusal) for one in came.values()) > 40
