"""A figure that is written once is sent as the one that it was made of."""

from __future__ import annotations

import numpy as np
import plotly.io
from plotly.graph_objects import Figure, Scatter

from penviz.plot.ready_figure import ready


def test_a_ready_figure_is_sent_as_its_original() -> None:
    plain = Figure(Scatter(x=np.arange(5, dtype=np.float32), y=[1, 2, 3, 4, 5], name="a"), {"height": 300})
    made = ready(plain)
    assert isinstance(made, Figure)
    for _ in range(2):
        assert plotly.io.to_json(made.to_dict(), validate=False) == plotly.io.to_json(
            plain.to_dict(), validate=False
        )
    assert made.to_dict()["data"][0]["x"]["dtype"] == "f4"
