"""The card of one upload: its fields outlive the work in their place, its table is the last check's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from penviz.app import uploads
from penviz.app.upload import Upload
from penviz.app.widgets.data_choices import DataChoice
from penviz.external.reader.report import FileReport, TensorEntry
from penviz.external.sandbox.job import Job


class Held(Job):
    """A step under way that never ends by itself."""

    def __init__(self) -> None:
        self.progress: dict[str, Any] = {}

    @property
    def done(self) -> bool:
        return False

    def cancel(self) -> None:
        pass


def script(who, upload, choices):  # type: ignore[no-untyped-def]  # its source runs alone, without imports
    from penviz.app.widgets.model_card import card

    card(who, upload, choices, [])


def table(*accuracies: float, names: tuple[str, ...] = ("cat", "dog", "owl", "fox")) -> dict[str, Any]:
    rows = [
        {"describe": f"input {i}", "body": "as built", "accuracy": a, "nll": 1.0, "n": 512}
        for i, a in enumerate(accuracies)
    ]
    return {
        "rows": rows, "split": "validation", "warnings": [], "sentences": [], "class_names": list(names),
        "head": {"kind": "none", "sentence": ""}, "judged": None, "evidence": "",
        "question": f"penviz measures {100 * accuracies[0]:.1f} % on 512 validation images.",
    }  # fmt: skip


def test_a_tie_is_kept_with_the_row_that_the_check_took(
    upload: Upload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(uploads, "begin", lambda *arguments: asked.append(arguments[-1]))
    who: Any = SimpleNamespace(runs_directory=tmp_path, uploads={})
    upload.choices = {"model": "resnet20", "dataset": "digits", "data_dir": "data", "class_names": ""}
    upload.check = table(0.9, 0.8) | {"undecided": "A tie."}
    for row in upload.check["rows"]:
        row |= {"preprocessing": {}, "variant": {}}
        uploads.start_drawing(who, upload, row, None)
    assert [arguments["undecided"] for arguments in asked] == ["A tie.", ""]


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    found = Upload("theirs.pth", tmp_path / "theirs.pth", stage="ready")
    found.report = FileReport("theirs.pth", "torch zip", 1000, "0" * 64, n_classes=4)
    found.candidates = [
        {"name": n, "evidence": "all keys match", "complete": True} for n in ("resnet20", "resnet56")
    ]
    return found


@pytest.fixture
def app(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    who = SimpleNamespace(
        workspace=SimpleNamespace(start=lambda *_: Held()),
        uploads={upload.id: upload},
        folders={},
        runs_directory=upload.path.parent,
    )
    monkeypatch.setattr("penviz.app.uploads.sandbox", lambda: None)
    choices = [DataChoice("scikit-learn's digits", "digits"), DataChoice("CIFAR-10", "cifar10")]
    return AppTest.from_function(script, kwargs={"who": who, "upload": upload, "choices": choices}).run()


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception, app.exception[0].value


def test_fields_outlive_a_step_even_where_session_state_forgets(app: AppTest, upload: Upload) -> None:
    network, images, targets = app.selectbox
    network.set_value("resnet56")
    images.set_value("cifar10")
    targets.set_value("uniform").run()
    app.text_input[0].set_value("my own")
    alpha, accuracy = app.number_input
    alpha.set_value(0.2)
    accuracy.set_value(93.5)
    app.run()
    press(app, "Check on 512 images")
    assert upload.busy
    assert not app.selectbox
    for name in ("model", "dataset", "targets", "name", "alpha", "expected"):
        key = f"{name}-{upload.id}"
        if key in app.session_state:  # a browser that has not drawn the fields yet sends nothing of them
            del app.session_state[key]
    press(app, "Cancel")
    assert [field.value for field in app.selectbox] == ["resnet56", "cifar10", "uniform"]
    assert app.text_input[0].value == "my own"
    assert [field.value for field in app.number_input] == [0.2, 93.5]


def test_names_are_proposed_where_there_are_as_many_classes(app: AppTest, upload: Upload) -> None:
    tensors = [TensorEntry(key, (4, 2), "float32", 32, key) for key in ("features", "labels")]
    upload.report = FileReport("a.npz", "npz", 1000, "0" * 64, tensors=tuple(tensors), n_classes=10)
    app.run()
    assert not app.exception, app.exception[0].value
    field = next(field for field in app.selectbox if field.label == "Names of the classes")
    assert field.value == "", "none is taken before the visitor confirms it"
    assert [words.split(":")[0] for words in field.options] == ["numbers", "CIFAR-10's", "MNIST's"]
    field.set_value("mnist")
    press(app, "Draw")
    assert upload.choices["class_names"] == "mnist"
    named = TensorEntry("class_names", (10,), "text", 40, "class_names")
    upload.job, upload.stage = None, "ready"
    upload.report = FileReport("a.npz", "npz", 1000, "0" * 64, tensors=(*tensors, named), n_classes=10)
    app.run()
    assert "Names of the classes" not in [field.label for field in app.selectbox]


def test_an_unknown_network_gets_lines_that_the_page_accepts(app: AppTest, upload: Upload) -> None:
    assert not app.code
    upload.candidates = [upload.candidates[0] | {"complete": False}]
    app.run()
    assert "penviz.capture(" in app.code[0].value
    assert "'theirs.pth'" in app.code[0].value


def test_a_second_check_with_fewer_inputs_and_other_classes(app: AppTest, upload: Upload) -> None:
    app.selectbox[1].set_value("digits").run()
    press(app, "Check on 512 images")
    upload.job, upload.stage, upload.check = None, "checked", table(0.9, 0.8, 0.7)
    app.run()
    app.selectbox[-1].set_value(2).run()
    app.multiselect[0].set_value(["cat", "dog", "fox"]).run()
    app.selectbox[1].set_value("cifar10").run()
    press(app, "Check again")
    upload.job, upload.stage = None, "checked"
    upload.check = table(0.6, names=("a", "b", "c", "d"))
    app.run()
    assert not app.exception, app.exception[0].value
    assert app.multiselect[0].value == ["a", "b", "c"]
    assert app.selectbox[-1].value == 0
