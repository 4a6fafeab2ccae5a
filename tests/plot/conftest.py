from __future__ import annotations

import pytest
from paper_figures import Rows, grid

from penviz.projection.panel import CORRECT, INSIDE, OUTSIDE


@pytest.fixture(scope="module")
def rows() -> Rows:
    made = grid()
    kinds = {kind for row in made for p in row for kind in p.kinds.tolist()}
    assert kinds == {CORRECT, INSIDE, OUTSIDE}, "the example must hold every kind"
    return made
