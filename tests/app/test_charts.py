"""Charts of a narrow page stand below one another, each as tall as before."""

from __future__ import annotations

import pytest

from penviz.app.widgets.charts import height_of_one_column


@pytest.mark.parametrize(
    ("n", "columns", "height", "expected"),
    [
        (6, 3, 600, 6 * 300),
        (4, 3, 600, 4 * 300),
        (2, 2, 300, 2 * 300),
        (1, None, 300, 300),
        (6, 3, None, None),
    ],
)
def test_each_chart_keeps_its_height(n: int, columns: int | None, height: int | None, expected: int) -> None:
    assert height_of_one_column(n, columns, height) == expected
