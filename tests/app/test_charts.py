"""Charts of a narrow page stand below one another, each as tall as before."""

from __future__ import annotations

from typing import Any

import pytest

from penviz.app.widgets.charts import below_one_another


@pytest.mark.parametrize(
    ("look", "n", "height"),
    [
        ({"columns": 3, "height": 600}, 6, 6 * 300),
        ({"columns": 3, "height": 600}, 4, 4 * 300),
        ({"columns": 2, "height": 300}, 2, 2 * 300),
        ({"height": 300}, 1, 300),
        ({"columns": 3}, 6, None),
    ],
)
def test_each_chart_keeps_its_height(look: dict[str, Any], n: int, height: int | None) -> None:
    found = below_one_another(look | {"legend": False}, n)
    assert found == {"columns": 1, "height": height, "legend": False}
