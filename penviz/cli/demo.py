"""`penviz demo`: a figure for a paper without a run of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penviz.exit_codes import say


def demo(
    out: Annotated[Path, typer.Option(help="A .pdf, .svg, .png, .html or .tex (TikZ).")] = Path("figure.pdf"),
    venue: Annotated[str, typer.Option(help="neurips, icml, cvpr, ...")] = "neurips",
) -> None:
    """Draw the demo pair, two networks on CIFAR-10 with hard targets and with label smoothing."""
    from penviz.demo import PAIR, PAIR_CLASSES, PAIR_NAMES
    from penviz.figures.destination import Destination
    from penviz.figures.new_figure import new_figure

    runs = [PAIR / name for name in PAIR_NAMES]
    destination = Destination(out)
    made = new_figure(runs, {"classes": PAIR_CLASSES, "venue": venue}, say)
    for path in destination.write(made):
        say(f"Wrote {path}")
    say(f"The two runs lie in {PAIR}; measure, calibrate and figure take them as they take yours.")
