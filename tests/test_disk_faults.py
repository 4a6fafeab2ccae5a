"""A disk without room, directories that another process writes to, and files that must not be overwritten."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_runs import make_run

from penviz.cli import main
from penviz.store.activations import Activations
from penviz.store.atomic_write import whole_file
from penviz.store.directory_lock import locked
from penviz.store.run_config import RunError
from penviz.store.runs import RUN_FILE, read_run, write_json
from penviz.store.write_shards import shard
from penviz.training import train as training

if TYPE_CHECKING:
    from conftest import Ended, Verb

TRAIN = (
    "train",
    "digits",
    "fc800",
    "--device",
    "cpu",
    "--epochs",
    "1",
    "--batch-size",
    "300",
    "--progress",
    "none",
)
LARGE = 2**20
"""Bytes of a file that run.json and numbers fit, and the weights of fc800 do not."""


@contextlib.contextmanager
def room(n_bytes: int) -> Iterator[None]:
    """No file may become longer: writing fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def assert_full(ended: Ended, path: Path) -> None:
    """Status 2, and one sentence that names the file and says what to do."""
    status, _, said = ended
    assert status == 2, said
    assert said.count("\n") == 1, said
    assert str(path) in said
    assert "make room" in said
    assert not list(path.parent.glob("*.part*"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("disk") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["penviz", *TRAIN, "--out", str(out)])
        with pytest.raises(SystemExit) as stop:
            main.main()
    assert not stop.value.code
    return out


def test_a_training_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    penviz: Verb, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with room(LARGE):
        assert_full(penviz(*TRAIN, "--out", out), out / "training-state.safetensors")
        assert_full(penviz(*TRAIN, "--out", out, "--resume"), out / "training-state.safetensors")
    status, _, said = penviz(*TRAIN, "--out", out, "--resume")
    assert status == 0, said
    assert read_run(out).model_sha256


def test_a_sweep_on_a_full_disk_says_so(penviz: Verb, tmp_path: Path) -> None:
    words = ("sweep", *TRAIN[1:], "--label-smoothing", "0", "--seed", "0", "--out", tmp_path)
    with room(LARGE):
        assert_full(penviz(*words), tmp_path / "fc800-0-seed0" / "training-state.safetensors")


@pytest.mark.parametrize("more", [(), ("--sharded",)])
def test_an_extraction_on_a_full_disk_says_so(more: tuple[str, ...], penviz: Verb, finished: Path) -> None:
    words = ("extract", finished, "--device", "cpu", "--progress", "none", "--no-thumbnails", *more)
    with room(2**17):
        named = finished / ("activations-train/shard-00000" if more else "activations-train.npz")
        assert_full(penviz(*words), named)


def test_a_figure_on_a_full_disk_says_so_and_leaves_nothing(penviz: Verb, tmp_path: Path) -> None:
    run = make_run(tmp_path, "hard")
    with room(2**10):
        assert_full(penviz("figure", run, "--out", tmp_path / "f.svg"), tmp_path / "f.svg")
        assert_full(penviz("figure", run, "--bundle", tmp_path / "b", "--format", "svg"), tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["hard"]


def test_numbers_that_a_full_disk_does_not_take(tmp_path: Path) -> None:
    path = tmp_path / "numbers.npz"
    with pytest.raises(OSError, match=r"numbers\.npz"), whole_file(path):
        raise OSError("1000 requested and 8 written")  # as NumPy says it
    assert not list(tmp_path.iterdir())


def test_output_that_a_full_disk_does_not_take_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "penviz", "models"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "No space left on device: make room and give the command again.\n"


# Two processes in one directory.


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    code = "import sys\nfrom pathlib import Path\nfrom penviz.store.directory_lock import locked\n"
    code += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="Another process is writing to"), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_job_takes_its_directory_again_and_no_other_job_does(tmp_path: Path) -> None:
    def take(place: Path) -> None:
        with locked(place):
            pass

    (tmp_path / "run").mkdir()
    with locked(tmp_path):
        take(tmp_path)
        take(tmp_path / "run" / "..")
        with pytest.raises(RunError, match="Another process is writing to"):
            Context().run(take, tmp_path)
        with ThreadPoolExecutor(1) as pool, pytest.raises(RunError, match="Another process is writing to"):
            pool.submit(take, tmp_path).result()
    Context().run(take, tmp_path)  # the outermost block has let go


def test_no_verb_writes_where_another_process_does(penviz: Verb, finished: Path, tmp_path: Path) -> None:
    begun = tmp_path / "sweep" / "fc800-0-seed0"
    begun.mkdir(parents=True)
    (begun / f"{RUN_FILE}.part").touch()
    sharded = make_run(tmp_path, "sharded")
    shard(Activations.load(sharded / "activations-train.npz"), sharded / "activations-train")
    (tmp_path / "pilot").mkdir()
    soft = shutil.copytree(finished, tmp_path / "soft")
    record = json.loads((soft / RUN_FILE).read_text())
    record["config"] |= {"targets": "uniform", "label_smoothing": 0.1}
    write_json(soft / RUN_FILE, record)
    pilot = (
        "distill",
        finished,
        soft,
        "--pilot",
        "--student",
        "fc800",
        "--temperatures",
        "1",
        "--epochs",
        "1",
    )
    for place, words in (
        (begun, (*TRAIN, "--resume", "--out", begun)),
        (begun, ("sweep", *TRAIN[1:], "--label-smoothing", "0", "--seed", "0", "--out", tmp_path / "sweep")),
        (finished, ("extract", finished, "--device", "cpu", "--progress", "none")),
        (sharded, ("measure", sharded)),
        (tmp_path / "pilot", (*pilot, "--device", "cpu", "--seeds", "0", "--out", tmp_path / "pilot")),
    ):
        with locked(place):
            status, _, said = Context().run(penviz, *words)  # another job
        assert status == 2, words
        assert "Another process is writing to" in said.splitlines()[-1]
    assert [path.name for path in begun.iterdir()] == [f"{RUN_FILE}.part"]


def test_a_run_that_another_process_began_meanwhile_is_left_alone(
    penviz: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    class Other(training.Training):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[arg-type]
            out.mkdir()
            (out / RUN_FILE).write_text("theirs")

    monkeypatch.setattr(training, "Training", Other)
    status, _, said = penviz(*TRAIN, "--out", out)
    assert status == 2
    assert "Another process has begun a run" in said
    assert (out / RUN_FILE).read_text() == "theirs"


# Nothing to resume, and files that are no recipes.


@pytest.mark.parametrize("made", [False, True])
def test_nothing_is_resumed_where_nothing_was_begun(made: bool, penviz: Verb, tmp_path: Path) -> None:
    out = tmp_path / "mistyped"
    if made:
        out.mkdir()
    for words in (TRAIN, ("distill", tmp_path, "fc800")):
        status, _, said = penviz(*words, "--resume", "--out", out)
        assert status == 2
        assert "nothing to resume" in said
        assert str(out) in said
    assert out.exists() == made


def test_a_recipe_and_a_bundle_take_no_other_files_place(penviz: Verb, tmp_path: Path) -> None:
    run = make_run(tmp_path, "hard")
    record = (run / RUN_FILE).read_bytes()
    status, _, said = penviz("figure", run, "--out", tmp_path / "f.svg", "--save-recipe", run / RUN_FILE)
    assert status == 2
    assert "is no recipe" in said
    assert (run / RUN_FILE).read_bytes() == record
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("cat.png", b"")
    before = (tmp_path / "images.zip").read_bytes()
    status, _, said = penviz("figure", run, "--bundle", tmp_path / "images.zip")
    assert status == 2
    assert "is no bundle" in said
    assert (tmp_path / "images.zip").read_bytes() == before
    again = ("figure", run, "--out", tmp_path / "f.svg", "--save-recipe", tmp_path / "r.yaml")
    for _ in range(2):
        status, _, said = penviz(*again)
        assert status == 0, said
