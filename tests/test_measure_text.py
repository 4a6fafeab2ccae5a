"""What `penviz measure` prints to be read: the splits above the runs, every number under its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_runs import make_run

from penviz.cli.main import application
from penviz.metrics.wording import three


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("measured")
    long = "a-name-that-is-long-for-the-head-of-a-column"
    return [str(make_run(root, f"{long}-{word}", alpha)) for word, alpha in (("hard", 0.0), ("soft", 0.1))]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    application()(["measure", *words], standalone_mode=False)
    return capsys.readouterr().out


def test_runs_of_one_name_are_called_by_their_places(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(make_run(tmp_path, Path(runs[0]).name, 0.1))
    record = json.loads(printed(capsys, runs[0], other, "--json"))
    assert record["runs"] == [runs[0], other]
    assert list(record["numbers"]["rho_d"]["values"]) == [runs[0], other]


def test_every_number_stands_under_its_run_and_split(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads(printed(capsys, *runs, "--json"))
    lines = printed(capsys, *runs).splitlines()
    assert f"hard: {record['runs'][0]}, soft: {record['runs'][1]}." in lines
    (above,) = [i for i, line in enumerate(lines) if line.split() == ["train", "validation"]][:1]
    heads = lines[above + 1]
    assert heads.split() == ["hard", "soft", "change", "[95", "%]"] * 2
    ends = [i + 4 for i in range(len(heads)) if heads[i : i + 4] in ("hard", "soft")]
    at = [(name, split) for split in ("train", "validation") for name in record["runs"]]
    assert lines[above].index("train") < ends[0] < ends[1] < lines[above].index("validation") < ends[2]
    number = 0
    geometry = record["geometry"]["numbers"]
    entries = [entry for key, entry in record["numbers"].items() if key not in geometry]
    for line, entry in zip(lines[above + 2 :], entries, strict=False):
        if not line.strip():
            break
        assert line.startswith(entry["label"])
        for end, (name, split) in zip(ends, at, strict=True):
            assert line[:end].split()[-1] == three(entry["values"][name].get(split))
        number += 1
    assert number > 20
    assert max(map(len, lines[above:])) < 140


def test_one_run_has_no_column_of_changes(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "change" not in printed(capsys, runs[0])
