"""Extraction by several ranks gives the bytes of one process, in one file or in shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_extraction
from test_ranks import torchrun

from penviz.external.importing import adopted_activations
from penviz.store.activations import Activations
from penviz.store.runs import MODEL_FILE, Run, activations_path, read_run, shards_path
from penviz.store.shards import LARGEST_FILE, ShardedActivations
from penviz.training import data
from penviz.training.ranks import Ranks
from penviz.training.split_files import ExtractOptions, Storage

SPLITS = {"train": 1437, "validation": 360}
SHARDS: dict[str, Any] = {"sharded": True, "rows": 500}


def by_ranks(n: int, orders: list[dict[str, Any]]) -> Any:
    """Extractions of small_extraction.py on n ranks."""
    return torchrun(n, str(Path(__file__).with_name("small_extraction.py")), json.dumps(orders))


def copied(run: Run, place: Path) -> str:
    shutil.copytree(run.directory, place)
    return str(place)


def files(directory: Path) -> dict[str, bytes]:
    """Every file of activations below a run's directory."""
    found = [p for p in sorted(directory.rglob("*")) if p.is_file() and "activations" in str(p)]
    assert found
    return {str(p.relative_to(directory)): p.read_bytes() for p in found}


@pytest.fixture(scope="module")
def place(hard_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same extractions by one process, by two ranks and by three; runs of one name."""
    place = tmp_path_factory.mktemp("extracted")
    orders: dict[int, list[dict[str, Any]]] = {}
    for n in (1, 2, 3):
        orders[n] = [
            {"run": copied(hard_run, place / str(n) / "file" / "run")},
            {"run": copied(hard_run, place / str(n) / "shards" / "run"), "storage": SHARDS},
        ]
    for n in (1, 2):
        orders[n] += [
            {"run": copied(hard_run, place / str(n) / "half" / "run"), "storage": SHARDS | {"half": True}},
            {"adopt": str(hard_run.directory / MODEL_FILE), "out": str(place / str(n) / "adopted" / "run")},
            {
                "adopt": str(hard_run.directory / MODEL_FILE),
                "out": str(place / str(n) / "adopted shards" / "run"),
                "storage": SHARDS,
            },
        ]
    for order in orders[1]:
        small_extraction.work(order)
    for n in (2, 3):
        done = by_ranks(n, orders[n])
        assert done.returncode == 0, done.stderr
    return place


@pytest.mark.parametrize(
    ("n", "kind"),
    [
        *((n, kind) for n in (2, 3) for kind in ("file", "shards")),
        *((2, kind) for kind in ("half", "adopted", "adopted shards")),
    ],
)
def test_the_bytes_are_those_of_one_process(n: int, kind: str, place: Path) -> None:
    ours, theirs = place / str(n) / kind / "run", place / "1" / kind / "run"
    assert files(ours) == files(theirs)
    ours_run, theirs_run = read_run(ours), read_run(theirs)
    assert ours_run.record == theirs_run.record or kind.startswith("adopted")
    for split in SPLITS:
        assert ours_run.metrics[split] == pytest.approx(theirs_run.metrics[split], rel=1e-12)


def test_shards_hold_what_the_file_holds(place: Path) -> None:
    for split, n in SPLITS.items():
        whole = Activations.load(activations_path(place / "1" / "file" / "run", split))
        sharded = ShardedActivations.open(shards_path(place / "2" / "shards" / "run", split))
        assert [m for _, m, _ in sharded.shards] == ([500, 500, 437] if split == "train" else [360])
        back = sharded.load()
        assert len(whole) == n
        for name in ("features", "labels", "predictions", "indices", "hashes"):
            np.testing.assert_array_equal(getattr(back, name), getattr(whole, name), err_msg=name)
        half = ShardedActivations.open(shards_path(place / "2" / "half" / "run", split))
        np.testing.assert_array_equal(half.load().features, whole.features.astype(np.float16))
        rounded = half.load().features != whole.features
        assert rounded.any()


def test_a_killed_extraction_goes_on_with_the_shards_that_are_done(
    hard_run: Run, place: Path, tmp_path: Path
) -> None:
    run = copied(hard_run, tmp_path / "run")
    # Rank 0 has shards 0 and 2 of train, rank 1 has shard 1, in which it is killed.
    done = by_ranks(2, [{"run": run, "storage": SHARDS, "kill": [1, 1]}])
    assert done.returncode != 0
    split = shards_path(Path(run), "train")
    assert not (split / "manifest.json").exists()
    # A rank that torchrun ended may leave a shard-*.part as well: that one is written again.
    kept = {p: p.stat().st_mtime_ns for p in split.glob("shard-[0-9][0-9][0-9][0-9][0-9]/features.npy")}
    assert split / "shard-00001" / "features.npy" not in kept
    small_extraction.work({"run": run, "storage": SHARDS})
    assert files(Path(run)) == files(place / "1" / "shards" / "run")
    assert {p: p.stat().st_mtime_ns for p in kept} == kept


def test_a_second_run_computes_no_shard_and_another_checkpoint_all(
    hard_run: Run, soft_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(copied(hard_run, tmp_path / "run"))
    batches: list[object] = []
    digits = data.load("digits")

    def extracted(**storage: Any) -> int:
        batches.clear()
        small_extraction.extract.extract(
            read_run(run),
            digits,
            ExtractOptions(
                splits=("train",), per_class=0, device="cpu", storage=Storage(**(SHARDS | storage))
            ),
            report=lambda *told: batches.append(told),
        )
        return len(batches)

    assert extracted() == 3
    assert extracted() == 0
    shutil.rmtree(shards_path(run, "train") / "shard-00001")
    assert extracted() == 1
    assert extracted(half=True) == 3
    assert extracted(rows=1000) == 3
    assert len(list(shards_path(run, "train").glob("shard-*"))) == 2
    for name in (MODEL_FILE, "run.json"):
        shutil.copy(soft_run.directory / name, run / name)
    assert extracted(rows=1000) == 3
    assert extracted(sharded=False) == 3
    assert not shards_path(run, "train").exists()


def test_an_adoption_in_shards_leaves_its_directory_and_finds_it_again(
    hard_run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = {"adopt": str(hard_run.directory / MODEL_FILE), "out": str(tmp_path / "run"), "storage": SHARDS}
    kept, batches = adopted_activations.forward, []

    def forward(*arguments: Any) -> Any:
        batches.append(len(arguments[-1]))
        if len(batches) == 2 * 8:  # the last batch of the second shard
            raise KeyboardInterrupt
        return kept(*arguments)

    monkeypatch.setattr(adopted_activations, "forward", forward)
    with pytest.raises(KeyboardInterrupt):
        small_extraction.work(order)
    assert not (tmp_path / "run").exists()
    assert len(list((tmp_path / "run.part").glob("activations-train/shard-*"))) == 2
    monkeypatch.setattr(adopted_activations, "forward", kept)
    small_extraction.work(order)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert files(tmp_path / "run") == files(place / "1" / "adopted shards" / "run")
    metrics = read_run(tmp_path / "run").metrics
    whole = read_run(place / "1" / "adopted shards" / "run").metrics
    assert metrics["train"]["accuracy"] == pytest.approx(whole["train"]["accuracy"], rel=1e-12)
    assert metrics["validation"] == whole["validation"]


def test_from_a_gibibyte_on_there_are_shards() -> None:
    n, width = LARGEST_FILE // (4 * 2048), 2048
    assert not Storage().in_shards(n, width)
    assert Storage().in_shards(n + 1, width)
    assert Storage(Ranks(), sharded=True).in_shards(1, 1)
