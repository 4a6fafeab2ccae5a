"""How often every printed interval holds the truth, and how wide it is, on four kinds of populations.

    python benchmarks/coverage.py [--sets 20] [--keep FILE] [--family NAME] [--write docs/intervals.md]

A population is a finite pool of examples of two networks, so that the truth is known; a set is n of them
drawn with replacement, and both networks see the same ones. "shipped": validation activations of the shipped
CIFAR-10 AlexNets (logits, and points in the plane of airplane, automobile and bird); "calibrated": Gaussian
clusters, and the shipped logits with labels drawn anew from their softmax for each set; "t3": clusters and
logits with noise of Student's t with 3 degrees of freedom; "outliers": 1 % of the examples 20 times as far.
For each number, population and n: the share of sets in which an interval is printed, the share of all sets in
which a printed interval misses the truth, and the mean width of those printed over that of the oracle's
interval, 2 x 1.96 standard deviations of the estimate over the sets. Intervals over seeds are tried on normal
seeds.

With --keep the sums are kept in a file as they grow, and a later call goes on from there.

Exit status 1 when a target is missed: a printed interval misses in more than 7 % of the sets (one-sided,
99.9 %), or is wider than 1.3 times the oracle's on average where it is printed in at least half of them.
Cells of fewer than 100 sets are printed and not judged.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from penviz.metrics.calibration.calibrated import PLAIN, Calibrated, Measured, numbers_at
from penviz.metrics.calibration.logit_rows import LogitRows, Scaled
from penviz.metrics.calibration.temperature import Temperature, fit_temperature, softmax
from penviz.metrics.intervals.bootstrap import Jackknifed, mean_difference, mean_log_ratio, welch
from penviz.metrics.logits import LogitNumbers
from penviz.metrics.numbers import BY_KEY
from penviz.projection.projection import Projection
from penviz.projection.two_classes import TwoClasses
from penviz.store.activations import Activations
from penviz.store.runs import activations_path
from penviz.study.compared_splits import CLUSTER
from penviz.study.sweep import t_interval

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
MOST_MISSES, WIDEST, HALF = 0.07, 1.3, 0.5
ROUND, ENOUGH = 20, 100
HEADING = "## The table"
POPULATIONS = ("shipped", "calibrated", "t3", "outliers")
SIZES = {"clusters": (60, 300, 1000, 3000), "calibration": (50, 300, 1000, 5000), "seeds": (3, 5)}
"""n of each family: examples of three (or two) classes together, reported examples, seeds a side."""

Found = dict[str, tuple[float, tuple[float, float] | None]]
"""Number -> estimate and interval, on the scale on which the interval is symmetric."""


def shipped(targets: str) -> Activations:
    return Activations.load(activations_path(CHECKPOINTS / f"cifar10-alexnet-{targets}", "validation"))


def moved(x: np.ndarray, population: str, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Rows with the noise of a population about them."""
    noise = spread * rng.normal(size=x.shape)
    if population == "t3":
        noise /= np.sqrt(rng.chisquare(3, (len(x), 1)) / 3)
    elif population == "outliers":
        noise *= np.where(rng.random((len(x), 1)) < 0.01, 20, 1)
    return x + noise


class ClusterPool:
    """Points of three classes in the plane of two networks, and what is measured of some of them."""

    def __init__(self, population: str) -> None:
        rng = np.random.default_rng(0)
        self.points: list[list[np.ndarray]] = [[], []]
        if population == "shipped":
            self.points = [list(Projection.of(shipped(t), (0, 1, 2)).points) for t in ("hard", "soft")]
            return
        means = np.array([[0.0, 0], [4, 0], [2, 3.5]])
        for mean in means:
            hard = moved(np.tile(mean, (20_000, 1)), population, rng, 1.0)
            own = moved(np.tile(mean, (20_000, 1)), population, rng, 1.0)
            self.points[0].append(hard)
            self.points[1].append(mean + 0.7 * (0.8 * (hard - mean) + 0.6 * (own - mean)))

    def truth(self, n: int) -> dict[str, float]:
        return {
            key: value
            for key, (value, _) in self.measured([np.arange(len(p)) for p in self.points[0]]).items()
        }

    def draw(self, n: int, rng: np.random.Generator) -> Found:
        return self.measured([rng.integers(len(p), size=n // 3) for p in self.points[0]])

    def measured(self, rows: list[np.ndarray]) -> Found:
        hard, soft = ([p[r] for p, r in zip(points, rows, strict=True)] for points in self.points)
        before, after = Jackknifed(hard), Jackknifed(soft)
        found: Found = {}
        one = before.estimate(CLUSTER["rho_d"])
        found["rho/d"] = one.value, one.bounds()
        for key, statistic in CLUSTER.items():
            change = before.change_to(after, statistic, paired=True, log=key != "regularity")
            found[f"change of {key}"] = change.value, change.bounds()
        two = [
            TwoClasses("", "", ("a", "b"), (p[0][:, 0], p[1][:, 0]), (rows[0], rows[1]), 1.0, "pool")
            for p in (hard, soft)
        ]
        span, moved_by = two[0].interval(), two[0].change_to(two[1])
        logs = None if span is None else (math.log(span[0]), math.log(span[1]))
        found["two classes, rho/d"] = math.log(two[0].rho_d), logs
        ends = None if moved_by is None else (math.log1p(moved_by[1]), math.log1p(moved_by[2]))
        found["two classes, change of rho/d"] = math.log(two[1].rho_d / two[0].rho_d), ends
        return found


class CalibrationPool:
    """Logits of two networks on the same examples, and what `penviz calibrate` says of some of them."""

    def __init__(self, population: str) -> None:
        rng = np.random.default_rng(0)
        both = [shipped(t) for t in ("hard", "soft")]
        self.drawn_labels = population == "calibrated"
        rows = (
            np.arange(len(both[0]))
            if population in ("shipped", "calibrated")
            else rng.integers(len(both[0]), size=40_000)
        )
        self.labels = both[0].labels[rows]
        self.logits = [a.logits()[rows] for a in both]
        if population in ("t3", "outliers"):
            self.logits = [moved(z, population, rng, 0.5) for z in self.logits]
        if self.drawn_labels:  # one network, so that the labels of both can be those it says
            self.logits = [self.logits[0], self.logits[0] * 1.0]
        self.tops = [z.argmax(axis=1) for z in self.logits]

    def truth(self, n: int) -> dict[str, float]:
        rows = np.arange(len(self.labels))
        if not self.drawn_labels:
            return {key: value for key, (value, _) in self.measured(rows, self.labels).items()}
        many = np.tile(rows, 20)
        found = self.measured(many, self.labels_drawn(many, np.random.default_rng(1)))
        calibrated = ("ECE", "RMS", "confidence - ")
        return {k: 0.0 if any(word in k for word in calibrated) else value for k, (value, _) in found.items()}

    def labels_drawn(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        p = softmax(self.logits[0][rows]).cumsum(axis=1)
        return np.minimum((p < rng.random((len(rows), 1))).sum(axis=1), p.shape[1] - 1)

    def draw(self, n: int, rng: np.random.Generator) -> Found:
        rows = rng.integers(len(self.labels), size=n)
        return self.measured(rows, self.labels_drawn(rows, rng) if self.drawn_labels else self.labels[rows])

    def measured(self, rows: np.ndarray, labels: np.ndarray) -> Found:
        sides = []
        for z, top in zip(self.logits, self.tops, strict=True):
            here, right = z[rows], (top[rows] == labels).astype(float)
            names = tuple(map(str, range(here.shape[1])))
            n = np.arange(len(rows))
            logits = LogitRows(Activations(here, labels, top[rows], n, names, "", "", own_logits=here), n)
            at_one = numbers_at(logits, labels, right, Scaled.of(logits, labels, 1.0))
            numbers = {(key, PLAIN): measured for key, measured in at_one.items()}
            spread, accuracy = LogitNumbers.of(here, labels).spread, float(right.mean())
            numbers["spread", PLAIN] = Measured(float(spread.mean()), spread, fewest=300)
            numbers["accuracy", PLAIN] = Measured(accuracy, right)
            nothing = ("pool", rows)
            sides.append(Calibrated("", "", Temperature(1.0), 1.0, 1, len(rows), 0, numbers, nothing))
            if len(sides) == 2 and self.drawn_labels:
                break
        found: Found = {}
        for key, _ in sides[0].numbers:
            if key.endswith("_floor") or key.startswith("naurc"):
                continue
            found[BY_KEY[key].label] = sides[0].numbers[key, PLAIN].value, sides[0].bounds(key)
            if not self.drawn_labels and key != "rms_ece":
                change = sides[0].difference_to(sides[1], key)
                assert change is not None
                found[f"difference of {BY_KEY[key].label}"] = change.value, change.bounds()
        t = fit_temperature(self.logits[0][rows], labels)
        ends = None if t.low is None or t.high is None else (math.log(t.low), math.log(t.high))
        found["fitted T"] = math.log(t.value) if t.finite else 0.0, ends
        if not self.drawn_labels:
            gaps = [LogitNumbers.of(z[rows], labels).gap for z in self.logits]
            ratio = mean_log_ratio(gaps[0], gaps[1], paired=True)
            found["change of the logit gap"] = ratio.value, ratio.bounds()
            unsure = [(softmax(z[rows]).max(axis=1) < 0.4).astype(float) for z in self.logits]
            rare = mean_difference(unsure[0], unsure[1], paired=True)
            found["difference of a share of few"] = rare.value, rare.bounds()
        return found


class SeedPool:
    """Values of normal seeds: the t-interval of a mean, Welch's of a difference of two recipes."""

    def __init__(self, population: str) -> None:
        self.spread = (0.02, 0.05) if population == "shipped" else (0.03, 0.03)

    def truth(self, n: int) -> dict[str, float]:
        return {"mean over seeds": 0.0, "difference over seeds": 0.0}

    def draw(self, n: int, rng: np.random.Generator) -> Found:
        first, other = (s * rng.normal(size=n) for s in self.spread)
        value, half = welch(first, other)
        return {
            "mean over seeds": (float(first.mean()), t_interval(first.tolist())),
            "difference over seeds": (value, (value - half, value + half)),
        }


FAMILIES: Mapping[str, Callable[[str], Any]] = {
    "clusters": ClusterPool,
    "calibration": CalibrationPool,
    "seeds": SeedPool,
}


def count(sums: dict[str, list[float]], found: Found, truth: Mapping[str, float]) -> None:
    """Add one set: sets, printed, missed, width, sum and sum of squares of the error of the estimate."""
    for key, (value, bounds) in found.items():
        own = sums.setdefault(key, [0.0] * 6)
        own[0] += 1
        if bounds is not None and not math.isnan(bounds[0]):
            own[1] += 1
            own[2] += not bounds[0] - 1e-12 <= truth[key] <= bounds[1] + 1e-12
            own[3] += bounds[1] - bounds[0]
        own[4] += value - truth[key]
        own[5] += (value - truth[key]) ** 2


def rounds(sets: int, kept: dict[str, Any], keep: Path | None, families: Sequence[str]) -> None:
    """Rounds of 20 sets over all populations and sizes, until each has as many as asked for."""
    pools: dict[tuple[str, str], Any] = {}
    while True:
        done = True
        for family in families:
            for population in POPULATIONS if family != "seeds" else POPULATIONS[:2]:
                for n in SIZES[family]:
                    cell = kept.setdefault(f"{family}|{population}|{n}", {"sets": 0, "sums": {}})
                    if cell["sets"] >= sets:
                        continue
                    done = False
                    pool = pools.setdefault((family, population), None) or FAMILIES[family](population)
                    pools[family, population] = pool
                    cell.setdefault("truth", pool.truth(n))
                    rng = np.random.default_rng([cell["sets"], n, POPULATIONS.index(population)])
                    for _ in range(min(ROUND, sets - cell["sets"])):
                        count(cell["sums"], pool.draw(n, rng), cell["truth"])
                        cell["sets"] += 1
                    if keep is not None:
                        keep.with_suffix(".part").write_text(json.dumps(kept))
                        keep.with_suffix(".part").replace(keep)
        if done:
            return


def table(kept: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Lines of Markdown, a number, population and n each, and the targets that are missed."""
    lines = [
        "| number | population | n | sets | printed | missed, of all | held, of printed | width / oracle |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    missed = []
    order = {key: place for place, key in enumerate(k for cell in kept.values() for k in cell["sums"])}
    rows = []
    for name, cell in kept.items():
        family, population, n = name.split("|")
        for key, (sets, printed, misses, width, first, second) in cell["sums"].items():
            oracle = 2 * 1.96 * math.sqrt(max(second / sets - (first / sets) ** 2, 0.0))
            ratio = width / printed / oracle if printed and oracle else math.nan
            held = f"{100 * (1 - misses / printed):.1f} %" if printed >= 20 else "-"
            words = [key, population, f"{int(n):,}", f"{int(sets):,}", f"{100 * printed / sets:.0f} %"]
            words += [f"{100 * misses / sets:.1f} %", held, f"{ratio:.2f}" if printed >= 20 else "-"]
            rows.append((order[key], POPULATIONS.index(population), int(n), f"| {' | '.join(words)} |"))
            most = MOST_MISSES + 3.09 * math.sqrt(MOST_MISSES * (1 - MOST_MISSES) / sets)
            if sets >= ENOUGH and misses / sets > most:
                missed.append(
                    f"{key}, {population}, n = {n}: misses in {100 * misses / sets:.1f} % of the sets"
                )
            if family != "seeds" and sets >= ENOUGH and printed / sets >= HALF and ratio > WIDEST:
                missed.append(f"{key}, {population}, n = {n}: {ratio:.2f} times as wide as the oracle's")
    return lines + [line for *_, line in sorted(rows)], missed


def main() -> int:
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--family", choices=list(FAMILIES), action="append", help="[default: all]")
    parser.add_argument("--keep", type=Path, help="File of the sums, to go on from.")
    parser.add_argument("--write", type=Path, help="Put the table at the end of this page.")
    asked = parser.parse_args()
    kept = {}
    if asked.keep is not None and asked.keep.exists():
        kept = json.loads(asked.keep.read_text(encoding="utf-8"))
    rounds(asked.sets, kept, asked.keep, asked.family or list(FAMILIES))
    lines, missed = table(kept)
    print("\n".join(lines))
    if asked.write is not None:
        page = asked.write.read_text(encoding="utf-8")
        head = page[: page.index(HEADING)] if HEADING in page else page
        whole = "\n".join([head.rstrip(), "", HEADING, "", *lines, ""])
        asked.write.write_text(whole, encoding="utf-8")
    for one in missed:
        print(one, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
