"""Images that a checkpoint can be tried on: what lies here, and nothing of the disk unless it is offered."""

from __future__ import annotations

from pathlib import Path

from penviz.app.widgets.data_choices import MOST_FOUND, below, checkpoints_below, data_choices, missing_sets


def folder(root: Path, name: str) -> Path:
    (root / name / "train" / "cat").mkdir(parents=True)
    return root / name


def test_built_in_sets_are_offered_where_their_files_lie(tmp_path: Path) -> None:
    always = ["cifar10-1000", "cifar100-1000", "digits"]
    assert [c.source for c in data_choices(tmp_path, False, {})] == always
    (tmp_path / "cifar10.npz").touch()
    (tmp_path / "cifar-100-python").mkdir()
    assert [c.source for c in data_choices(tmp_path, False, {})] == ["cifar10", "cifar100", *always]
    assert missing_sets(tmp_path) == ["MNIST", "Fashion-MNIST"]


def test_folders_of_the_disk_are_offered_only_when_asked(tmp_path: Path) -> None:
    pets = folder(tmp_path, "pets")
    assert str(pets) not in [c.source for c in data_choices(tmp_path, False, {})]
    assert str(pets) in [c.source for c in data_choices(tmp_path, True, {})]


def test_uploaded_folders_come_first(tmp_path: Path) -> None:
    first = data_choices(tmp_path, False, {"birds": tmp_path / "x"})[0]
    assert (first.label, first.source, first.folder) == ("birds (uploaded)", str(tmp_path / "x"), True)


def test_hidden_files_links_and_the_insides_of_image_folders_are_left_out(tmp_path: Path) -> None:
    pets = folder(tmp_path, "pets")
    (pets / "train" / "cat" / "model.pth").touch()
    (tmp_path / ".secret.pth").touch()
    (tmp_path / "theirs.pth").touch()
    (tmp_path / "link.pth").symlink_to(tmp_path / "theirs.pth")
    assert checkpoints_below(tmp_path) == [tmp_path / "theirs.pth"]


def test_a_large_directory_is_read_only_so_far(tmp_path: Path) -> None:
    for i in range(MOST_FOUND + 5):
        (tmp_path / f"{i}.pth").touch()
    assert len(below(tmp_path)) == MOST_FOUND


def test_a_directory_that_is_not_there_offers_nothing(tmp_path: Path) -> None:
    assert below(tmp_path / "no") == []
