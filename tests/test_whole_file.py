from __future__ import annotations

import os
from pathlib import Path

import pytest

from penviz.store.atomic_write import whole_file


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["numbers.csv"]


def _break_off(path: Path, stop: BaseException) -> None:
    with whole_file(path) as part:
        part.write_text("half")
        raise stop


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path, stop: BaseException) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("old")
    with pytest.raises(type(stop)):
        _break_off(path, stop)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["numbers.csv"]


def test_a_rename_that_fails_does_so_too(tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").mkdir()
    with pytest.raises(IsADirectoryError), whole_file(tmp_path / "numbers.csv") as part:
        part.write_text("new")
    assert os.listdir(tmp_path) == ["numbers.csv"]
