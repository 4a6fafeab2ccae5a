"""Charts in words: what a screen reader says of them."""

from __future__ import annotations

import numpy as np

from penviz.plot.chart_words import WORDED, in_words
from penviz.projection.chart import Chart, Series


def test_words_hold_title_axes_about_and_every_number_of_a_short_series() -> None:
    x, y = np.array([1.0, 5.0, 9.0]), np.array([0.5, np.nan, 0.25])
    series = Series("hard, train", x, y, y - 0.1, y + 0.1, labels=("", "n = 4", "n = 8"))
    words = in_words([Chart("ρ/d in the picture", "epoch", "ρ/d", (series,), about="Of two runs.")])
    assert words == (
        "ρ/d in the picture. ρ/d against epoch. Of two runs. "
        "hard, train: 0.5 [0.4, 0.6] at 1, 0.25 [0.15, 0.35] at 9 (n = 8)."
    )


def test_a_tick_is_called_by_its_word() -> None:
    bars = Series("targets", np.array([0.0, 1.0]), np.array([0.91, 0.01]), kind="bars")
    chart = Chart("", "", "probability", (bars,), x_ticks=((0.0, "true class"), (1.0, "each other")))
    assert in_words([chart]) == "probability. targets: 0.91 at true class, 0.01 at each other."


def test_a_long_series_keeps_its_ends_and_a_cloud_its_extent() -> None:
    x = np.arange(100.0)
    words = in_words([Chart("", "x", "y", (Series("a", x, x / 2), Series("b", x, x, kind="points")))])
    assert f"a ({WORDED} of 100 values): 0 at 0, " in words
    assert ", 49.5 at 99." in words
    assert words.endswith("b: 100 points, 0 to 99 across, 0 to 99 up.")
