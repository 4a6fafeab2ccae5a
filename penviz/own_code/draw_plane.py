"""The template plane in an axes of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penviz import InputError
from penviz.own_code.comparison_figure import study_of
from penviz.projection.panel import Panel
from penviz.study.comparison import ComparisonOptions
from penviz.study.study import WithActivations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from penviz.plot.screen import Marks


def draw_plane(
    ax: Axes,
    run: WithActivations | str | Path | Panel,
    classes: Sequence[str | int] | None = None,
    *,
    split: str | None = None,
    marks: Marks | None = None,
    options: ComparisonOptions | None = None,
) -> Panel:
    """Draw three classes of one run and split on the plane of their templates.

    Args:
        ax: a matplotlib axes; it is made square, its title and labels are left alone.
        run: a captured or loaded run, a directory, or a panel of a comparison.
        classes: three names or rows of the head: left, right, above. The first three when not given.
        split: the run's first when not given.
        marks: what is drawn beside the points; options: of drawing and measuring.

    Returns:
        The picture as data: coordinates, numbers, what is drawn.

    Raises:
        InputError: a split that the run does not have, or classes that are unknown.

    >>> import numpy as np, penviz
    >>> from matplotlib.figure import Figure
    >>> labels = np.arange(60) % 3
    >>> features = 4 * np.eye(3)[labels] + np.random.default_rng(0).normal(size=(60, 3))
    >>> run = penviz.from_arrays(features, labels, weight=np.eye(3), name="theirs")
    >>> penviz.draw_plane(Figure(figsize=(3, 3)).subplots(), run).metrics["n"]
    60.0
    """
    from penviz.plot.paper.panel import PanelLook, draw_panel
    from penviz.plot.paper.typeface import SANS
    from penviz.plot.screen import Marks as AllMarks
    from penviz.plot.theme import CLASS_COLOURS

    panel = run if isinstance(run, Panel) else _panel(run, classes, split, options or ComparisonOptions())
    figure = ax.get_figure()
    if figure is None:
        raise InputError("These axes belong to no figure.")
    box = ax.get_window_extent()
    side = min(box.width, box.height) / figure.dpi
    size_pt, many = min(8.0, max(5.0, 3.5 * side)), len(panel.xy) > 20_000
    look = PanelLook(marks or AllMarks(), side, ("rho_d",), SANS, size_pt, CLASS_COLOURS, many)
    draw_panel(ax, panel, look)
    return panel


def _panel(
    run: WithActivations | str | Path,
    classes: Sequence[str | int] | None,
    split: str | None,
    options: ComparisonOptions,
) -> Panel:
    study = study_of([run], classes or ())
    chosen = split or study.splits[0]
    if chosen not in study.splits:
        raise InputError(
            f"{study.runs[0].name} has no {chosen} activations: it has {', '.join(study.splits)}."
        )
    row = study.compare(classes, options).panels
    return next(panel for panel in row if panel.split == chosen)
