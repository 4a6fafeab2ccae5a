from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from penviz.store.run_config import RunConfig, RunError
from penviz.store.run_differences import differences, recipe_of
from penviz.store.runs import (
    Run,
    activations_path,
    list_runs,
    named_apart,
    read_run,
    read_runs,
    sha256_of,
    write_json,
)

SOFT = RunConfig("cifar10", "tutorial_alexnet", targets="uniform", label_smoothing=0.1, milestones=(0.3, 0.6))


def write_run(directory: Path, config: RunConfig = SOFT) -> Path:
    directory.mkdir(parents=True)
    record = {
        "config": config.to_json(),
        "metrics": {"validation": {"accuracy": 0.86}},
        "class_names": ["a", "b"],
    }
    write_json(directory / "run.json", record | {"model_sha256": "ab"})
    return directory


def test_config_survives_json() -> None:
    assert RunConfig.from_json(json.loads(json.dumps(SOFT.to_json()))) == SOFT
    with pytest.raises(RunError, match="unknown keys: warmth"):
        RunConfig.from_json(SOFT.to_json() | {"warmth": 2})
    with pytest.raises(RunError, match="lacks a key"):
        RunConfig.from_json({"dataset": "cifar10"})
    with pytest.raises(RunError, match="Epochs must be a whole number"):
        RunConfig.from_json(SOFT.to_json() | {"epochs": "many"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label_smoothing": 1.0}, "below 1"),
        ({"label_smoothing": 0.0}, "soft ones more than 0"),
        ({"targets": "hard"}, "hard targets have"),
        ({"targets": "fuzzy"}, "targets must be"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch size"),
        ({"lr": 0.0}, "learning rate"),
        ({"lr": float("nan")}, "learning rate"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"loss_factor": 0.0}, "loss factor"),
        ({"clip_norm": -1.0}, "clipping"),
        ({"schedule": "cosine"}, "schedule"),
        ({"milestones": (0.5, 1.5)}, "milestones"),
        ({"pad": -1}, "at least 0"),
        ({"seed": -1}, "seed"),
        ({"precision": "float16"}, "precision"),
        ({"epochs": 1.5}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"epochs": float("inf")}, "whole number"),
        ({"seed": None}, "whole number"),
        ({"lr": "fast"}, "a number"),
        ({"flip": "no"}, "true or false"),
        ({"model": 5}, "a text"),
        ({"dataset": None}, "a text"),
        ({"milestones": 0.5}, "list of numbers"),
        ({"milestones": ("half",)}, "list of numbers"),
    ],
)
def test_values_out_of_range_are_refused(change: dict, words: str) -> None:
    with pytest.raises(RunError, match=f"(?i){words}") as error:
        replace(SOFT, **change)
    assert str(error.value)[0].isupper()


def test_differences_are_named() -> None:
    assert SOFT.differences(SOFT) == []
    other = replace(SOFT, targets="hard", label_smoothing=0.0, epochs=7)
    assert SOFT.differences(other) == ["targets", "label_smoothing", "epochs"]


def test_a_run_is_read_with_its_splits(tmp_path: Path) -> None:
    directory = write_run(tmp_path / "some-run")
    activations_path(directory, "validation").touch()
    activations_path(directory, "train").touch()
    run = read_run(directory)
    assert (run.name, run.config, run.class_names) == ("some-run", SOFT, ("a", "b"))
    assert run.metrics["validation"]["accuracy"] == 0.86
    assert run.splits() == ["train", "validation"]


def test_runs_are_read_once_in_their_order_and_told_apart_by_their_places(tmp_path: Path) -> None:
    a, b, c = (write_run(tmp_path / place) for place in ("one/soft", "two/soft", "two/hard"))
    again = a.parent / ".." / "one" / "soft"
    found = read_runs([b, a, again, c, b])
    assert [run.directory for run in found] == [b, a, c]
    assert [run.name for run in found] == ["soft", "soft", "hard"]
    assert [run.name for run in named_apart(found)] == [str(b), str(a), "hard"]


def test_nothing_is_read_from_the_name(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "cifar100-resnet-hard"))
    assert run.config.label_smoothing == 0.1


@pytest.mark.parametrize(
    "entry",
    [
        {"history": 3},
        {"history": [1]},
        {"history": [{"epoch": "one"}]},
        {"metrics": {"validation": 0.9}},
        {"metrics": {"validation": {"accuracy": "high"}}},
        {"prior": 7},
        {"prior": ["a"]},
        {"seconds": "long"},
    ],
)
def test_a_record_whose_numbers_are_none_is_refused(tmp_path: Path, entry: dict) -> None:
    directory = write_run(tmp_path / "run")
    record = json.loads((directory / "run.json").read_text())
    assert read_run(directory).config == SOFT
    (directory / "run.json").write_text(json.dumps(record | entry))
    with pytest.raises(RunError, match="wrong type"):
        read_run(directory)


def test_list_has_runs_by_name_and_damaged_ones_with_advice(tmp_path: Path) -> None:
    write_run(tmp_path / "b")
    write_run(tmp_path / "a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").touch()
    for name, text in (("cut", "{"), ("list", "[]"), ("empty", "{}"), ("old", '{"config": {"colour": 1}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.safetensors").touch()
    found, damaged = list_runs(tmp_path)
    assert [r.name for r in found] == ["a", "b"]
    assert [d.name for d in damaged] == ["cut", "empty", "half", "list", "old"]
    assert all(d.advice.endswith(".") and "\n" not in d.advice for d in damaged)
    assert list_runs(tmp_path / "nowhere") == ([], [])


@pytest.mark.parametrize("entry", [{"metrics": 3}, {"class_names": 5}, {"config": [1]}])
def test_entries_of_the_wrong_type_are_refused(tmp_path: Path, entry: dict) -> None:
    directory = write_run(tmp_path / "r")
    record = json.loads((directory / "run.json").read_text())
    write_json(directory / "run.json", record | entry)
    with pytest.raises(RunError):
        read_run(directory)
    with pytest.raises(RunError, match="no directory"):
        read_run(tmp_path / "none")


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()


def adopted(tmp_path: Path, **more: object) -> Path:
    """A run.json as an adoption writes it, with nothing about a training."""
    config = {"dataset": "cifar10", "model": "timm:resnet50", "targets": "unknown", "label_smoothing": None}
    directory = tmp_path / "theirs"
    directory.mkdir(parents=True)
    write_json(directory / "run.json", {"config": config, "adopted": {"file": "a.pth", **more}})
    return directory


def test_unknown_targets_have_no_alpha_and_only_they() -> None:
    for targets, alpha in (("unknown", 0.1), ("unknown", 0.0), ("hard", None), ("uniform", None)):
        with pytest.raises(RunError, match="Distilled and unknown targets have no label smoothing"):
            replace(SOFT, targets=targets, label_smoothing=alpha)
    unknown = replace(SOFT, targets="unknown", label_smoothing=None)
    assert RunConfig.from_json(json.loads(json.dumps(unknown.to_json()))) == unknown


def test_an_adopted_run_says_what_is_not_known(tmp_path: Path) -> None:
    own, theirs = read_run(write_run(tmp_path / "own")), read_run(adopted(tmp_path))
    assert (own.adopted, own.seed, own.adoption.mark) == (False, 0, "")
    assert (theirs.adopted, theirs.seed, theirs.config.label_smoothing) == (True, None, None)
    assert differences([own, theirs]) == ["model", "targets", "label_smoothing"]
    longer = replace(own, config=replace(SOFT, epochs=7))
    assert differences([own, longer]) == ["epochs"]
    assert differences([own, longer, theirs]) == ["model", "targets", "label_smoothing"]


@pytest.mark.parametrize(
    ("measured", "expected", "mark"),
    [
        (0.780, 0.931, "accuracy 15 points below the stated"),
        (0.93, 0.921, "accuracy 1 point above the stated"),
        (0.78, None, "accuracy in doubt"),
        (0.93, 0.932, "accuracy in doubt"),
    ],
)
def test_a_warning_of_the_accuracy_has_a_short_mark(
    measured: float, expected: float | None, mark: str, tmp_path: Path
) -> None:
    accuracy = {"measured": measured, "expected": expected, "n": 512}
    told = read_run(adopted(tmp_path, accuracy=accuracy | {"warning": "The input may be wrong."}))
    assert (told.adoption.mark, told.adoption.warning) == (mark, "The input may be wrong.")
    assert read_run(adopted(tmp_path / "fine", accuracy=accuracy)).adoption.mark == ""


@pytest.mark.parametrize(
    "entry",
    [
        {"accuracy": 3},
        {"accuracy": {"measured": "high"}},
        {"quick_look": [1]},
        {"quick_look": {"classes": 3}},
        {"quick_look": {"classes": [[1]]}},
    ],
)
def test_an_adoption_of_the_wrong_type_is_refused(entry: dict, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="wrong type"):
        read_run(adopted(tmp_path, **entry))


def recorded(tmp_path: Path, name: str, config: RunConfig = SOFT, **record: object) -> Run:
    """A run whose record says what its data are."""
    directory = write_run(tmp_path / name, config)
    write_json(directory / "run.json", json.loads((directory / "run.json").read_text()) | record)
    return read_run(directory)


def ids(train: str, validation: str) -> dict[str, dict[str, str]]:
    return {"train": {"dataset_id": train}, "validation": {"dataset_id": validation}}


def test_other_data_are_a_difference_whatever_they_are_called(tmp_path: Path) -> None:
    moved, seed_1 = replace(SOFT, dataset="/elsewhere/birds"), replace(SOFT, seed=1)
    a = recorded(tmp_path, "a", splits=ids("cifar10:11", "cifar10:22"), source_id="s")
    cases = [
        (recorded(tmp_path, "b", moved, splits=ids("birds:11", "birds:22"), source_id="s"), []),
        (recorded(tmp_path, "c", moved, splits=ids("birds:11", "birds:22")), []),
        (recorded(tmp_path, "d", splits=ids("cifar10:11", "cifar10:23")), ["data"]),
        (recorded(tmp_path, "e", splits=ids("cifar10:11", "cifar10:22"), source_id="t"), ["data"]),
        (recorded(tmp_path, "f", seed_1, splits=ids("cifar10:33", "cifar10:44"), source_id="s"), ["seed"]),
        (recorded(tmp_path, "g", seed_1, splits=ids("cifar10:33", "cifar10:44")), ["seed"]),
        (recorded(tmp_path, "h", moved), ["data"]),
        (recorded(tmp_path, "i"), []),
    ]
    for other, expected in cases:
        assert differences([a, other]) == expected, other.name
        assert differences([other, a]) == expected, other.name


def test_a_directory_of_one_name_is_not_taken_for_one_data_set(tmp_path: Path) -> None:
    """Under two seeds the digests say nothing, and neither does the name of a directory."""
    birds = replace(SOFT, dataset="birds")
    a = recorded(tmp_path, "a", birds, splits=ids("birds:11", "birds:22"))
    b = recorded(tmp_path, "b", replace(birds, seed=1), splits=ids("birds:33", "birds:44"))
    assert differences([a, b]) == ["data", "seed"]
    assert differences([a, a]) == []


def test_a_share_of_the_training_data_is_one_difference(tmp_path: Path) -> None:
    a = recorded(tmp_path, "a", splits=ids("cifar10:11", "cifar10:22"))
    part = recorded(tmp_path, "b", replace(SOFT, data_share=0.1), splits=ids("cifar10:12", "cifar10:22"))
    assert differences([a, part]) == ["data_share"]


def test_the_recipe_of_runs_is_their_data_set_and_network(tmp_path: Path) -> None:
    own = read_run(write_run(tmp_path / "own"))
    assert recipe_of([own, own]) == ("cifar10", "tutorial_alexnet")
    assert recipe_of([own, replace(own, config=replace(SOFT, model="fc800"))]) is None
    assert recipe_of([read_run(adopted(tmp_path))]) is None
