"""The matrix of all pairs of classes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from penviz.plot.class_matrix import HOVERED_UP_TO, class_matrix


@pytest.mark.parametrize("n", [3, HOVERED_UP_TO, HOVERED_UP_TO + 1])
def test_hover_names_nothing_that_is_not_there(n: int) -> None:
    first, second = np.full((n, n), 0.25), np.full((n, n), 0.5)
    (heat,) = class_matrix((first, second), ("hard", "soft"), [f"class {k}" for k in range(n)]).data
    words = heat.customdata[2][0] if n <= HOVERED_UP_TO else []
    assert list(words) == ["hard", "class 2", "class 0"][: len(words)]
    assert re.findall(r"customdata\[(\d)\]", heat.hovertemplate) == [str(k) for k in range(len(words))]
    assert (heat.z[2][0], heat.z[0][2]) == (0.25, 0.5)
