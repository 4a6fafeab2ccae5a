"""Charts with every kind of series, for the tests of both renderers."""

from __future__ import annotations

import numpy as np

from penviz.projection.chart import Chart, Line, Series


def diagram(name: str, colour: int) -> Chart:
    """A square chart with faint bars, a gap, whiskers, a dashed line and a diagonal."""
    x = np.linspace(0.05, 0.95, 10)
    y = np.where(np.arange(10) == 3, np.nan, x**1.3)
    return Chart(
        name,
        "confidence",
        "accuracy",
        (
            Series("share of examples", x, x**3 / 4, kind="bars", colour=2, faint=True),
            Series(f"{name}: ECE 0.041", x, y, y - 0.05, y + 0.05, kind="line+markers", colour=colour),
            Series(f"{name}, T = 1.3: ECE 0.012", x, x, kind="line+markers", colour=colour, dashed=True),
        ),
        (Line("perfect calibration", (0, 0), (1, 1)),),
        (0, 1),
        (0, 1),
        square=True,
        about=f"Reliability of {name}.",
    )


def curves() -> Chart:
    """Bands and a background line."""
    x = np.linspace(0, 0.6, 7)
    return Chart(
        "Over label smoothing",
        "label smoothing α",
        "NLL (nats)",
        (
            Series("hard", x, 1 + x, 0.9 + x, 1.1 + x),
            Series("soft", x, 1.3 - x**2, 1.2 - x**2, 1.4 - x**2, colour=1),
            Series("seed 0", x, 1.2 - x**2, colour=1, faint=True),
        ),
    )


def bars() -> Chart:
    """Two series side by side over words."""
    x = np.arange(4.0)
    words = ("airplane", "automobile", "bird with a long name", "cat")
    return Chart(
        "Targets",
        "class",
        "probability",
        (
            Series("uniform", x, np.array([0.91, 0.03, 0.03, 0.03]), kind="bars", labels=words),
            Series("others", x, np.array([0.9, 0.04, 0.03, 0.03]), kind="bars", colour=1, dashed=True),
        ),
        x_ticks=tuple((float(i), word) for i, word in enumerate(words)),
    )


def cloud(n: int = 300) -> Chart:
    """A cloud, the outline of a histogram, and marks with whiskers."""
    xy = np.random.default_rng(0).normal(size=(n, 2))
    x = np.array([-1.0, 0.0, 1.0])
    return Chart(
        "Triples",
        "ρ/d of hard targets",
        "ρ/d of label smoothing",
        (
            Series("triples", xy[:, 0], xy[:, 1], kind="points", colour=4),
            Series("histogram", x, np.array([0.5, 1.5, 1.0]), kind="steps", colour=5),
            Series("chosen", x, x, x - 0.5, x + 0.5, kind="markers", colour=3),
        ),
    )


def every_kind() -> list[Chart]:
    """One of each."""
    return [diagram("hard", 0), diagram("soft", 1), curves(), bars(), cloud()]
