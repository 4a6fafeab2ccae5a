"""Small figures for paper, and what is read back from their artists."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from small_runs import small_activations

from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_grid
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions

Rows = list[list[Panel]]


def grid(classes: tuple[str, str, str] = ("airplane", "automobile", "bird"), per_class: int = 250) -> Rows:
    runs = [
        {split: small_activations(run, split, alpha) for split in ("train", "validation")}
        for run, alpha in (("hard", 0.0), ("soft", 0.1))
    ]
    return build_grid(runs, classes, PanelOptions(per_class), targets=[Targets.of(0.0), Targets.of(0.1)])


def by_gid(figure: Figure, panel: int, start: str) -> list[Any]:
    return [a for a in figure.axes[panel].get_children() if (a.get_gid() or "").startswith(start)]


def words(figure: Figure) -> list[Text]:
    inside = [text for ax in figure.axes for text in ax.texts]
    return [text for text in [*figure.texts, *inside] if text.get_text()]


def overlaps(figure: Figure) -> list[str]:
    """What stands where it must not: outside the page, over another text, over a panel's edge or a mark."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()
    page = figure.bbox.padded(1)
    found = []
    boxes = [(t.get_text(), t.get_window_extent(renderer), t.axes) for t in words(figure)]
    panels = [ax.get_window_extent(renderer) for ax in figure.axes]
    pixel = figure.dpi / 72 * 0.25
    for i, (text, box, ax) in enumerate(boxes):
        if not (page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1):
            found.append(f"{text!r} leaves the page")
        for other, other_box, _ in boxes[i + 1 :]:
            if box.padded(-pixel).overlaps(other_box.padded(-pixel)):
                found.append(f"{text!r} over {other!r}")
        for panel in panels:
            own = ax is not None and panel.bounds == ax.get_window_extent(renderer).bounds
            if own and not (panel.x0 <= box.x0 and box.x1 <= panel.x1 and box.y1 <= panel.y1):
                found.append(f"{text!r} leaves its panel")
            if not own and box.padded(-pixel).overlaps(panel.padded(-pixel)):
                found.append(f"{text!r} over a panel")
    for artist in figure.artists:
        mark = artist.get_window_extent(renderer)
        for text, box, _ in boxes:
            if mark.padded(-pixel).overlaps(box.padded(-pixel)):
                found.append(f"{artist.get_gid()} over {text!r}")
    return found
