"""What a word that names a class stands for."""

from __future__ import annotations

import pytest

from penviz.store.class_lookup import rows_named


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ("cat", [0]),
        ("crane", [1, 4]),
        (2, [2]),
        ("2", [2]),
        ("10", [3]),
        (10, []),
        (-1, []),
        ("-1", []),
        ("dog", []),
        ("", []),
        ("²", []),
        ("٢", []),
        ("9" * 6000, []),
    ],
)
def test_names_go_before_rows(wanted: str | int, rows: list[int]) -> None:
    assert rows_named(wanted, ("cat", "crane", "fish", "10", "crane")) == rows
