"""The wheel: what a checkout has but reproduction and other runs, and it works in an empty directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from penviz import __version__
from penviz.demo import EXAMPLE, PAIR, PAIR_NAMES, SWEEP, TEST_IMAGES
from penviz.store.activations import Activations
from penviz.store.runs import activations_path, read_run

ROOT = Path(__file__).parents[1]
PAGE = """
from streamlit.testing.v1 import AppTest
import penviz.app.main
from penviz.app.component.served_files import routes
page = AppTest.from_file(penviz.app.main.__file__, default_timeout=60).run()
assert not page.exception and not page.error
captions = (caption.value for caption in page.sidebar.caption)
panels = [one for one in page.get("bidi_component") if one.proto.id.endswith("-panels")]
print(penviz.__file__, len(panels), len(routes()), *captions)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools")
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"  # a build leaves files beside what it builds
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "penviz", source / "penviz", ignore=ignored, symlinks=True)
    shutil.copytree(ROOT / "checkpoints" / "sweep", source / "checkpoints" / "sweep")  # a link leads there
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        ".",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "..",
        "-q",
    ]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = place.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_its_data(wheel: Path) -> None:
    assert wheel.stat().st_size <= 22e6
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(f"penviz-{__version__}.dist-info/METADATA").decode()
        for data in (PAIR, SWEEP, TEST_IMAGES, EXAMPLE.parent):
            files = [path for path in data.rglob("*") if path.is_file()]
            assert files
            for path in files:
                assert archive.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "penviz").rglob("*.py")}
    assert modules <= names
    assert {"penviz/app/.streamlit/config.toml", "penviz/external/networks/fingerprints.npz"} <= names
    component = ROOT / "penviz" / "app" / "component"
    assert {f"penviz/app/component/{file.name}" for file in component.glob("panels.*")} <= names
    assert {name.split("/")[0] for name in names} == {"penviz"}
    assert f"\nVersion: {__version__}\n" in metadata


def test_in_an_empty_directory_the_app_draws_the_pair_and_demo_a_figure(wheel: Path, tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PENVIZ_")}

    def run(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-P", *words],
            cwd=empty,
            env=environment | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    place, panels, routes, *caption = run("-c", PAGE).split()
    assert Path(place).is_relative_to(installed)
    assert (panels, routes) == ("1", "2")
    assert " ".join(caption).startswith("The demo pair.")
    run("-m", "penviz", "demo", "--out", "figure.pdf")
    assert (empty / "figure.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", PAIR_NAMES)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_demo_pair_is_part_of_the_shipped_runs(name: str, split: str) -> None:
    part = Activations.load(activations_path(PAIR / name, split))
    whole = Activations.load(activations_path(ROOT / "checkpoints" / name, split))
    at = {index: row for row, index in enumerate(whole.indices.tolist())}
    rows = [at[index] for index in part.indices.tolist()]
    assert np.bincount(part.labels).tolist() == [200] * 10
    np.testing.assert_allclose(
        part.features, whole.features[rows], rtol=2**-11, atol=2**-24
    )  # half precision
    np.testing.assert_array_equal(part.predictions, whole.predictions[rows])
    np.testing.assert_array_equal(part.head.weight, whole.head.weight)  # type: ignore[union-attr]
    assert part.checkpoint_sha256 == read_run(PAIR / name).model_sha256
