"""Other views of runs: linear ones at once, UMAP from its cache or by a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penviz.figures.umap_points import Job, Request, kept
from penviz.metrics.collapse.moments import class_rows
from penviz.metrics.tightness.tightness import Clusters
from penviz.projection.embedding import LINEAR, Embedding, Placed, embed, fitting_rows, three_rows, turned
from penviz.projection.projection import class_indices
from penviz.projection.sample import draw
from penviz.store.activations import Activations

MOST_FITTED = 3_000
"""Examples that UMAP is fitted on at most, as many of each class; the others are placed afterwards."""

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class UmapPlan:
    """Which examples of one run UMAP is fitted on, and which are placed on its map.

    Attributes:
        splits: of the run; classes: rows of the three in the head; all_classes: fitted on all.
        fitted_on: split; fit: [n] its rows; more: split -> [m] rows placed afterwards.
        request: the features of these rows.
    """

    splits: Mapping[str, Activations]
    classes: tuple[int, int, int]
    all_classes: bool
    fitted_on: str
    fit: Int
    more: Mapping[str, Int]
    request: Request

    @classmethod
    def of(
        cls, splits: Mapping[str, Activations], classes: Sequence[str | int], all_classes: bool, seed: int
    ) -> UmapPlan:
        """For the stored examples of three classes; the sample fitted on is drawn with the seed.

        Raises:
            InputError: too few examples, unknown classes, no activations.
        """
        name, fitting = fitting_rows(splits, classes, all_classes)
        a = splits[name]
        chosen = class_indices(classes, a.class_names)
        share = max(1, MOST_FITTED // max(1, sum(len(rows) > 0 for rows in fitting)))
        picked = [np.sort(rows[draw(a.indices[rows], share, seed)]) for rows in fitting]
        fit = np.concatenate(picked)
        more = {}
        for split, own in splits.items():
            rows = class_rows(own.labels, len(own.class_names), own.indices)
            wanted = np.concatenate([rows[k] for k in chosen])
            more[split] = np.setdiff1d(wanted, fit) if split == name else np.sort(wanted)
        placed = [splits[split].features[rows] for split, rows in more.items()]
        request = Request(
            np.asarray(a.features[fit], np.float32), np.concatenate(placed).astype(np.float32), seed
        )
        return cls(splits, chosen, all_classes, name, fit, more, request)

    def embedding(self, fit_xy: NDArray[np.float32], more_xy: NDArray[np.float32]) -> Embedding:
        """The coordinates by split and class, turned so that the classes stand as in the template plane."""
        ends = np.cumsum([len(rows) for rows in self.more.values()])
        parts = dict(zip(self.more, np.split(more_xy, ends[:-1]), strict=True))
        placed: dict[str, tuple[tuple[Int, ...], tuple[Float, ...]]] = {}
        for split, a in self.splits.items():
            xy = np.full((len(a), 2), np.nan)
            xy[self.more[split]] = parts[split]
            if split == self.fitted_on:
                xy[self.fit] = fit_xy
            rows = three_rows(a, self.classes)
            placed[split] = rows, tuple(xy[r] for r in rows)
        anchor = placed[self.fitted_on][1]
        drawn = {}
        for split, (rows, points) in placed.items():
            points = turned(points, anchor)
            drawn[split] = Placed(rows, points, Clusters.of(points))
        return Embedding("umap", drawn, self.fitted_on, len(self.fit), self.all_classes)


def embed_runs(
    runs: Sequence[Mapping[str, Activations]],
    classes: Sequence[str | int],
    view: str,
    *,
    all_classes: bool = False,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> list[Embedding]:
    """An embedding a run, waiting for UMAP where it has to be made.

    Args:
        runs: for each run its activations by split; classes: three; view: one of VIEWS but "plane";
        all_classes: fitted on all classes; seed: of UMAP and of the sample it is fitted on; say: takes a
            sentence before something that takes long.

    Raises:
        InputError: what cannot be drawn so, or UMAP could not be run.
    """
    if view in LINEAR:
        return [embed(run, classes, view, all_classes) for run in runs]
    made = []
    for run in runs:
        plan = UmapPlan.of(run, classes, all_classes, seed)
        found = kept(plan.request)
        if found is None:
            if say is not None:
                name = next(iter(run.values())).run
                say(f"UMAP of {name}: {len(plan.fit):,} examples, half a minute or more.")
            job = Job(plan.request)
            try:
                found = job.result()
            finally:
                job.cancel()
        made.append(plan.embedding(*found))
    return made
