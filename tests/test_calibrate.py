"""`penviz calibrate`: text and JSON say the same, and the shipped pair behaves as the paper's networks do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_runs import make_adopted, make_run

from penviz.figures.open_study import open_study
from penviz.metrics.calibration.calibrated import SCALED, Calibrated
from penviz.metrics.numbers import CALIBRATION, TABLES
from penviz.metrics.wording import three
from penviz.store.activations import Activations
from penviz.store.runs import activations_path
from penviz.study import calibration_report

if TYPE_CHECKING:
    from conftest import Verb

SHIPPED = Path(__file__).parent.parent / "checkpoints"


@pytest.fixture
def calibrate(penviz: Verb) -> Any:
    def run(*arguments: object) -> tuple[str, str]:
        status, out, err = penviz("calibrate", *arguments)
        assert not status, err
        return out, err

    return run


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path, "hard"), make_run(tmp_path, "soft", 0.1)]


def test_text_and_json_say_the_same(calibrate: Any, pair: list[Path]) -> None:
    text, _ = calibrate(*pair)
    record = json.loads(calibrate(*pair, "--json")[0])
    headline, detail, empty, *lines = text.rstrip("\n").split("\n")
    end = lines.index("")
    said, lines = " ".join(lines[end + 1 :]), lines[:end]
    assert headline == record["finding"]["headline"] + "."
    assert detail == record["finding"]["detail"]
    assert (empty, lines[0].split()[:2]) == ("", ["hard", "soft"])
    ends = {len(line) for line in lines if re.search(r"[+-][0-9.]+ \[[^\]]+\]$", line)}
    assert len(ends) == 1  # differences end in one column
    assert {n.key for n in TABLES[CALIBRATION]} == set(record["numbers"])
    by_label = {line[: line.index("  ")]: line for line in lines[1:] if "  " in line}
    for entry in record["numbers"].values():
        for at, ends in (("plain", ("", " at T = 1")), ("scaled", ("", " at fitted T"))):
            if at not in entry:
                continue
            unit = f" ({entry['unit']})" if entry["unit"] not in ("", "share") else ""
            called = entry["label"] + unit
            line = next(by_label[called + e] for e in ends if called + e in by_label)
            values = list(entry[at]["values"].values())
            assert all(not why or why in said for why in entry[at]["why_no_interval"].values())
            for value in values:
                assert f" {three(value)}" in line
            difference = entry[at]["difference"]
            sign = "+" if difference["value"] > 0 else ""
            assert f" {sign}{three(difference['value'])}" in line
            assert difference["value"] == pytest.approx(values[1] - values[0], abs=1e-12)


def test_runs_of_one_name_keep_their_numbers(calibrate: Any, pair: list[Path], tmp_path: Path) -> None:
    other = make_run(tmp_path / "more", "hard", 0.1)
    record = json.loads(calibrate(pair[0], other, "--json")[0])
    values = record["numbers"]["ece"]["plain"]["values"]
    assert list(values) == list(record["fits"]) == [str(pair[0]), str(other)]
    assert values[str(pair[0])] != values[str(other)]
    assert list(json.loads(calibrate(pair[0], pair[0], "--json")[0])["fits"]) == ["hard"]


def test_record_is_that_of_the_activations(calibrate: Any, pair: list[Path]) -> None:
    for seed in (0, 4):
        record = json.loads(calibrate(*pair, "--json", "--seed", seed)[0])
        for run in pair:
            found = Calibrated.of(Activations.load(activations_path(run, "validation")), seed)
            assert record["fits"][run.name]["temperature"] == found.temperature.value
            assert record["numbers"]["ece"]["scaled"]["values"][run.name] == found.value("ece", SCALED)
            assert record["numbers"]["brier"]["plain"]["intervals"][run.name] == list(found.bounds("brier"))
    assert record["seed"] == 4


def test_notes_stand_with_the_finding(pair: list[Path]) -> None:
    plain = open_study([pair[0]])
    study = replace(plain, runs=tuple(replace(one, notes=("In doubt.",)) for one in plain.runs))
    found = study.calibration()
    lines = calibration_report.text(found).split("\n")
    assert lines[:4] == [f"{found.finding.headline}.", found.finding.detail, "In doubt.", ""]
    assert calibration_report.record(found)["notes"] == ["In doubt."]


def test_stale_activations_are_said(calibrate: Any, tmp_path: Path) -> None:
    said, _ = calibrate(make_run(tmp_path, "stale", stale=True))
    assert "\nstale: the validation activations are of another checkpoint; extract it again.\n" in said


def test_shipped_pair(calibrate: Any) -> None:
    """alpha = 0.1 on CIFAR-10, where smoothing under-shoots: T above 1 for hard, below 1 for soft."""
    hard, soft = (SHIPPED / f"cifar10-compact-{targets}" for targets in ("hard", "soft"))
    record = json.loads(calibrate(hard, soft, "--json")[0])
    fits = [record["fits"][run.name] for run in (hard, soft)]
    assert fits[0]["temperature_interval"][0] > 1 > fits[1]["temperature_interval"][1]
    numbers = record["numbers"]
    gap = list(numbers["confidence_gap"]["plain"]["intervals"].values())
    assert gap[0][0] > 0 > gap[1][1]
    assert numbers["spread"]["plain"]["difference"]["high"] < 0
    assert numbers["ece"]["plain"]["difference"]["low"] > 0
    for run in (hard, soft):
        a = Activations.load(activations_path(run, "validation"))
        z = a.logits()
        t = record["fits"][run.name]["temperature"]
        assert ((z / t).argmax(axis=1) == z.argmax(axis=1)).all()
        assert numbers["ece"]["scaled"]["values"][run.name] < numbers["ece"]["plain"]["values"][run.name]
    assert record["finding"]["headline"].startswith("Label smoothing (α = 0.1): ")


def test_a_network_without_a_head_is_measured_on_its_own_logits(calibrate: Any, tmp_path: Path) -> None:
    made = make_adopted(tmp_path, "with", 0.1), make_adopted(tmp_path, "without", 0.1, head=False)
    path = activations_path(made[1], "validation")
    z = Activations.load(activations_path(made[0], "validation")).logits()
    replace(Activations.load(path), own_logits=z.astype(np.float32)).save(path)
    first, second = (json.loads(calibrate(run, "--json")[0])["numbers"]["ece"]["plain"] for run in made)
    assert second["values"]["without"] == pytest.approx(first["values"]["with"], abs=1e-6)
    replace(Activations.load(path), own_logits=(2 * z).astype(np.float32)).save(path)
    other = json.loads(calibrate(made[1], "--json")[0])["numbers"]["ece"]["plain"]["values"]["without"]
    assert abs(other - first["values"]["with"]) > 1e-3
