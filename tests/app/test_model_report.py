"""What a card says about a file: in words, escaped, and shortened with the count of what is left out."""

from __future__ import annotations

import pytest

from penviz.app.widgets.model_report import (
    MOST_TENSORS,
    check_html,
    details_html,
    duration_text,
    summary_line,
    tensors_html,
)
from penviz.external.reader.report import FileReport, TensorEntry


def tensor(key: str) -> TensorEntry:
    return TensorEntry(key, (10, 64), "float32", 2560, key)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (10, "under a minute"), (840, "about 14 min"), (9000, "about 2.5 hours")],
)
def test_a_wait_is_said_in_words(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_line_names_kind_size_parameters_and_classes() -> None:
    report = FileReport(
        "a.pth", "torch zip", 2560, "0" * 64, tensors=(tensor("fc.weight"),), n_parameters=640, n_classes=10
    )
    assert summary_line(report) == "torch zip · 2.56 kB · 640 parameters in 1 tensor · 10 classes"


def test_names_from_the_file_cannot_write_into_the_page() -> None:
    nasty = "<script>alert(1)</script>"
    report = FileReport(
        nasty, "torch zip", 1, "0" * 64, extras={nasty: nasty}, globals=(nasty,), notes=(nasty,)
    )
    row = {"describe": nasty, "body": nasty, "accuracy": 0.5, "nll": 1.0}
    for text in (details_html(report), tensors_html([tensor(nasty)]), check_html([row], 0)):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_a_long_list_of_tensors_says_how_many_it_leaves_out() -> None:
    text = tensors_html([tensor(f"layer{i}.weight") for i in range(MOST_TENSORS + 7)])
    assert "and 7 more" in text
    assert f"layer{MOST_TENSORS - 1}.weight" in text
    assert f"layer{MOST_TENSORS}.weight" not in text


def test_the_chosen_input_is_marked() -> None:
    rows = [
        {"describe": name, "body": "as built", "accuracy": 0.5, "nll": 1.0} for name in ("CIFAR", "ImageNet")
    ]
    assert '<tr class="pz-best"><td>ImageNet' in check_html(rows, 1)
