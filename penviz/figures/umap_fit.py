"""The child process that runs UMAP: python -m penviz.figures.umap_fit REQUEST.npz ANSWER.npz

It is a process of its own, so that the app imports neither umap nor numba, and so that it can be ended. It
tells of its progress in lines of JSON on standard output, and ends when its standard input does: when whoever
asked is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading

N_NEIGHBORS, MIN_DIST = 15, 0.1
"""UMAP's own defaults (umap-learn), written down because the cache is keyed by them."""


def tell(words: str, share: float) -> None:
    """A line about how far it is; share in [0, 1]."""
    print(json.dumps({"words": words, "share": round(share, 3)}), flush=True)


class Steps:
    """What tqdm writes its bar to: its counts become lines of progress."""

    def __init__(self, words: str, start: float, end: float) -> None:
        self.words, self.start, self.end = words, start, end

    def write(self, text: str) -> None:
        """Take "n/total" from a bar."""
        done, _, total = text.strip().partition("/")
        if done.isdigit() and total.isdigit() and int(total):
            tell(self.words, self.start + (self.end - self.start) * int(done) / int(total))

    def flush(self) -> None:
        """Nothing is held back."""


def _bar(words: str, start: float, end: float) -> dict[str, object]:
    return {"file": Steps(words, start, end), "bar_format": "{n_fmt}/{total_fmt}", "disable": False}


def main() -> None:
    """Fit on `fit`, place `more`, write `fit_xy` and `more_xy`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    request, answer = sys.argv[1:]
    tell("Importing UMAP", 0.02)
    import numpy as np
    from umap import UMAP

    with np.load(request, allow_pickle=False) as file:
        fit, more, seed = file["fit"], file["more"], int(file["seed"])
    tell(f"Finding neighbours among {len(fit):,} examples", 0.15)
    model = UMAP(
        n_neighbors=N_NEIGHBORS,
        min_dist=MIN_DIST,
        random_state=seed,
        transform_seed=seed,
        n_jobs=1,
        tqdm_kwds=_bar("Laying out the map", 0.35, 0.7),
    )
    fit_xy = model.fit_transform(fit)
    more_xy = np.zeros((0, 2), np.float32)
    if len(more):
        tell(f"Placing {len(more):,} further examples", 0.72)
        model.tqdm_kwds = _bar(f"Placing {len(more):,} further examples", 0.72, 0.99)
        more_xy = model.transform(more)
    with open(answer, "wb") as target:
        np.savez(target, fit_xy=np.asarray(fit_xy, np.float32), more_xy=np.asarray(more_xy, np.float32))
        target.flush()
        os.fsync(target.fileno())


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not through sys.stdin, whose lock a daemon thread would hold at the end
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
