"""Films of runs on disk: their snapshots read, and the pictures of some epochs for a figure."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penviz import InputError
from penviz.plot.theme import LIGHT
from penviz.projection.panel import Panel
from penviz.projection.snapshot_animation import Film, build_films
from penviz.store.head import ActivationsError
from penviz.store.run_activations import targets_of
from penviz.store.runs import SPLITS, Run
from penviz.store.snapshots import Snapshots, snapshots_path, splits_of

if TYPE_CHECKING:
    from PIL.Image import Image

NOTE = (
    "All epochs stand on the plane through the templates of the last epoch's head, in its unit, on axes "
    "that hold 99.5 % of the last epoch and the class means of all; lines, shading and stars are the last "
    "epoch's."
)
"""What must stand beside pictures of a film."""

STEP_MS, LAST_MS = 500, 2500
"""Milliseconds that a picture of the animation stays, and its last one."""

GIF_COLOURS = 256

GIF_DPI = 150
"""Dots per inch of an animation at most: it is for a screen."""


def load(run: Run, splits: Sequence[str] = SPLITS) -> dict[str, Snapshots]:
    """Snapshots of a run by split, under the run's own name.

    Raises:
        InputError: it has none, a file that cannot be read, or splits of different epochs.
    """
    try:
        found = {
            split: replace(Snapshots.load(snapshots_path(run.directory, split)), run=run.name)
            for split in splits_of(run)
            if split in splits
        }
    except ActivationsError as error:
        raise ActivationsError(f"{run.name}: {error}") from error
    if not found:
        raise InputError(f"{run.name} has no snapshots: train it with --snapshots.")
    if len({tuple(snapshots.epochs.tolist()) for snapshots in found.values()}) > 1:
        raise InputError(
            f"The snapshots of {run.name} are of different epochs in each split: train it again."
        )
    return found


def films_of(
    runs: Sequence[Run],
    loaded: Sequence[Mapping[str, Snapshots]],
    classes: Sequence[str | int],
    *,
    bias: bool = True,
    scale: str = "distance",
) -> list[Film]:
    """The films of some runs; raises as `build_films`.

    Args:
        runs: whose; loaded: their snapshots by split (`load`).
    """
    return build_films(
        [{split: [s.at(i) for i in range(len(s))] for split, s in own.items()} for own in loaded],
        [next(iter(own.values())).epochs.tolist() for own in loaded],
        classes,
        bias=bias,
        scale=scale,
        targets=[targets_of(run) for run in runs],
    )


def strip(films: Sequence[Film], epochs: Sequence[int], splits: Sequence[str]) -> list[list[Panel | None]]:
    """Panels for paper: a row a run, a column an epoch, of one split after the other.

    Raises:
        InputError: an epoch that a run did not keep.
    """
    for film in films:
        if missing := [epoch for epoch in epochs if epoch not in film.epochs]:
            kept = ", ".join(map(str, film.epochs))
            raise InputError(f"{film.run} did not keep epoch {missing[0]}: it has {kept}.")
    shown = [s for s in SPLITS if s in splits and any(s in film.panels for film in films)]
    if not shown:
        raise InputError(f"No run has snapshots of {' or '.join(splits)}.")
    return [
        [
            film.panels[split][film.epochs.index(epoch)] if split in film.panels else None
            for split in shown
            for epoch in epochs
        ]
        for film in films
    ]


def animation(
    grid: Sequence[Sequence[Panel | None]],
    draw: Callable[[list[list[Panel | None]]], bytes],
    report: Callable[[int, int], None] = lambda done, of: None,
) -> bytes:
    """An animated GIF: one picture an epoch, the last one held longer, for ever.

    Args:
        grid: of `strip`; draw: makes a PNG of the panels of one epoch, a row a run, a column a split.
        report: told the pictures drawn and their number after each.
    """
    from PIL import Image as images

    epochs = sorted({panel.epoch for row in grid for panel in row if panel is not None and panel.epoch})
    pictures: list[Image] = []
    for done, epoch in enumerate(epochs, start=1):
        rows = [[panel for panel in row if panel is not None and panel.epoch == epoch] for row in grid]
        with images.open(io.BytesIO(draw([list[Panel | None](row) for row in rows if row]))) as image:
            pictures.append(image.convert("RGB"))
        report(done, len(epochs))
    # The legend names what is there, so that heights may differ: all get the largest, filled with the page.
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    whole = [images.new("RGB", size, LIGHT.page) for _ in pictures]
    for sheet, picture in zip(whole, pictures, strict=True):
        sheet.paste(picture, (0, 0))
    palette = _palette(whole)
    flat = [picture.quantize(palette=palette, dither=images.Dither.NONE) for picture in whole]
    target = io.BytesIO()
    flat[0].save(
        target,
        "GIF",
        save_all=True,
        append_images=flat[1:],
        duration=[STEP_MS] * (len(flat) - 1) + [LAST_MS],
        loop=0,
        optimize=False,
        disposal=1,
    )
    return target.getvalue()


def _palette(pictures: Sequence[Image]) -> Image:
    """One palette for all pictures, so that no colour flickers: a median cut of their distinct colours.

    Each colour counts once. By the number of its pixels the pale ground would take nearly all places, and the
    points of two classes would share one.
    """
    from PIL import Image as images

    found = np.unique(np.concatenate([np.unique(_codes(p)) for p in pictures]))
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1).astype(np.uint8)
    return images.fromarray(colours[None]).quantize(GIF_COLOURS, method=images.Quantize.MEDIANCUT, kmeans=1)


def _codes(picture: Image) -> NDArray[np.int64]:
    """Colours of all pixels as one number each: red, green, blue."""
    red, green, blue = np.moveaxis(np.asarray(picture, np.int64), -1, 0)
    packed: NDArray[np.int64] = red << 16 | green << 8 | blue
    return packed
