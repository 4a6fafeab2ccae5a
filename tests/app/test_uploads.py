"""Files of activations that make one run: they go together, and come apart where it fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penviz import InputError
from penviz.app import uploads
from penviz.app.upload import Upload
from penviz.app.uploads import remove, start_arrays
from penviz.external.reader.inspection import inspect_file


@pytest.fixture
def visitor(tmp_path: Path) -> Any:
    class Workspace:
        refuse = False

        def start(self, *arguments: Any) -> Any:
            if self.refuse:
                raise InputError("The sandbox is full.")
            return SimpleNamespace(done=False, cancel=lambda: None, wait=lambda seconds: None)

    return SimpleNamespace(workspace=Workspace(), runs_directory=tmp_path, uploads={}, folders={})


def two(visitor: Any) -> dict[str, Upload]:
    found = {s: Upload(f"{s}.npz", Path(f"{s}.npz"), stage="ready") for s in ("train", "validation")}
    visitor.uploads |= {upload.id: upload for upload in found.values()}
    return found


def test_a_partner_is_given_back_where_the_run_fails(visitor: Any) -> None:
    files = two(visitor)
    start_arrays(visitor, files, "mine", {})
    assert [f.stage for f in files.values()] == ["drawing", "drawn"]
    uploads.cancel(files["train"])
    assert [f.stage for f in files.values()] == ["ready", "ready"]
    visitor.workspace.refuse = True
    start_arrays(visitor, files, "mine", {})
    assert [f.stage for f in files.values()] == ["ready", "ready"]
    assert files["train"].error == "The sandbox is full."


def test_a_partner_is_given_back_where_the_run_is_removed(visitor: Any, tmp_path: Path) -> None:
    files = two(visitor)
    start_arrays(visitor, files, "mine", {})
    files["train"].job = None
    files["train"].run = tmp_path / "mine"
    remove(visitor, files["train"])
    assert files["validation"].stage == "ready"
    assert list(visitor.uploads.values()) == [files["validation"]]


def test_the_example_checks_itself_once_its_network_is_found(
    visitor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        visitor.workspace, "start", lambda _, task, given, budget, makes: asked.append((task, given))
    )
    monkeypatch.setattr(uploads, "sandbox", lambda: None)
    uploads.bring_example(visitor, tmp_path)
    (upload,) = visitor.uploads.values()
    uploads._take_report(visitor, upload, inspect_file(upload.path).to_json())
    uploads._take_candidates(visitor, upload, {"candidates": [{"name": "tutorial_alexnet"}]})
    assert [task for task, _ in asked] == ["inspect", "match", "check"]
    assert upload.stage == "checking"
    given = asked[-1][1]
    assert (given["model"], given["dataset"], given["expected"]) == ("tutorial_alexnet", "cifar10-1000", None)
    assert upload.path.is_file(), "removing it must leave what came with the package"
    remove(visitor, upload)
    assert upload.path.is_file()


def test_two_runs_of_one_name_under_way_get_two_directories(visitor: Any, tmp_path: Path) -> None:
    first, second = two(visitor).values()
    start_arrays(visitor, {"train": first}, "mine", {})
    start_arrays(visitor, {"train": second}, "mine", {})
    assert [first.out, second.out] == [tmp_path / "mine", tmp_path / "mine-2"]
    assert uploads.being_made(visitor) == {first.out, second.out}
