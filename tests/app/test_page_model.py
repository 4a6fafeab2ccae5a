"""The page "Your model": what is polled while a step is under way, and what stands still beside it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_runs import make_run
from streamlit.testing.v1 import AppTest
from test_model_card import Held

from penviz import InputError
from penviz.app.page import your_model
from penviz.app.upload import Upload


def cards(who):  # type: ignore[no-untyped-def]  # its source runs alone, without imports
    from penviz.app.page.your_model import _cards

    _cards(who)


def page():  # type: ignore[no-untyped-def]
    from penviz.app.page.your_model import show_model

    show_model()


def labels_of_downloads(app: AppTest) -> list[str]:
    assert not app.exception, app.exception[0].value
    return [button.proto.label for button in app.get("download_button")]


@pytest.fixture
def who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    found = SimpleNamespace(runs_directory=tmp_path, uploads={}, folders={})
    sandbox = SimpleNamespace(warm_up=lambda: None, enforced={})
    monkeypatch.setattr(your_model, "visitor", lambda: found)
    monkeypatch.setattr(your_model, "sandbox", lambda: sandbox)
    return found


def test_a_download_stands_outside_of_what_is_polled(who: Any, tmp_path: Path) -> None:
    make_run(tmp_path, "mine", 0.0)
    polled = AppTest.from_function(cards, kwargs={"who": who}).run()
    assert not labels_of_downloads(polled)
    assert labels_of_downloads(AppTest.from_function(page).run()) == ["Download"]


def test_a_file_that_was_not_kept_says_why_until_the_next_one(
    who: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = [[SimpleNamespace(name=f"{name}_*_.pth") for name in ("first", "second")], None, None]
    kept = tmp_path / "kept"

    def keep(name: str, *_: object) -> Any:
        if name.startswith("first"):
            raise InputError("There is no room left on the disk of this app.")
        return SimpleNamespace(path=kept)

    who.workspace = SimpleNamespace(keep=keep)
    monkeypatch.setattr(your_model.st, "file_uploader", lambda *_, **__: dropped.pop(0))
    brought: list[str] = []
    monkeypatch.setattr(your_model.uploads, "bring", lambda _, name, *__: brought.append(name))
    app = AppTest.from_function(page).run()
    assert brought == ["second_*_.pth"]
    (said,) = [element.value for element in app.error]
    assert said.replace("\\", "") == "first_*_.pth: There is no room left on the disk of this app."
    dropped[:] = [[SimpleNamespace(name="third.pth")], None]
    assert not app.run().error


def test_a_run_is_listed_when_it_is_taken_over(who: Any, tmp_path: Path) -> None:
    make_run(tmp_path, "mine", 0.0)
    upload = Upload("mine.npz", tmp_path / "mine.npz", stage="drawing", out=tmp_path / "mine")
    upload.job = Held()
    who.uploads[upload.id] = upload
    assert not labels_of_downloads(AppTest.from_function(page).run())
    upload.run = upload.out
    assert labels_of_downloads(AppTest.from_function(page).run()) == ["Download"], "drawn anew, it stays"
