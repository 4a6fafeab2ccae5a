"""How far networks of one recipe lie apart that differ in the seed alone, and what penviz says of such pairs.

    python benchmarks/null_pairs.py [ROOT]

Trains forty hard `fc800` on digits, 20 epochs each, in ROOT (a temporary directory without it; runs that are
there are kept). Each of the 780 pairs is shown to the rules of the headline as if the second network were
smoothed: a direction is an error. Prints the spreads that `penviz/metrics/intervals/seed_spread.py` holds,
those of reproduction/results.csv among them, and ends with status 1 where more than 5 % of the pairs get a
direction or a spread is not the one held.
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from penviz.metrics.calibration.calibrated import Calibrated
from penviz.metrics.intervals.seed_spread import MEASURED
from penviz.metrics.target_vectors import Targets
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.runs import activations_path, read_run
from penviz.study.calibration_finding import calibration_finding
from penviz.study.finding import Compared
from penviz.study.table import compare
from penviz.study.tightness_finding import plane_finding
from penviz.training import data, defaults, extract, train
from penviz.training.split_files import ExtractOptions
from penviz.training.train_options import TrainOptions

SEEDS, EPOCHS, RECIPE = 40, 20, ("digits", "fc800")
SPLITS = ("train", "validation")
RESULTS = Path(__file__).resolve().parents[1] / "reproduction" / "results.csv"
MOST = 0.05
NAMES, TARGETS = ("first", "second"), (Targets.of(0.0), Targets.of(0.1))
DIRECTED = ("tighter", "looser", "mixed", "lower", "higher")


def networks(root: Path, seeds: int = SEEDS, alpha: float = 0.0) -> list[Path]:
    """Directories of the runs of one label smoothing; those that are missing are trained and extracted."""
    found = []
    for seed in range(seeds):
        out = root / (f"soft-seed-{seed}" if alpha else f"seed-{seed}")
        found.append(out)
        if activations_path(out, "validation").is_file():
            continue
        loaded = data.load("digits", seed=seed)
        chosen = {"epochs": EPOCHS, "seed": seed, "label_smoothing": alpha}
        config = defaults.default_config(*RECIPE, loaded.image_shape, **chosen)
        train.train(config, loaded, out, TrainOptions(device="cpu", validate_every=EPOCHS))
        extract.extract(read_run(out), loaded, ExtractOptions(thumbnail_quality=0))
    return found


def said_of(runs: Sequence[Mapping[str, SplitStatistics]], seeds: Sequence[int]) -> str:
    """The kind of finding of a pair, the second taken for smoothed."""
    table = compare(runs, (0, 1, 2), targets=TARGETS)
    return plane_finding(Compared(NAMES, TARGETS, seeds, recipe=RECIPE), table, runs).kind


def report(name: str, kinds: Counter[str]) -> bool:
    """Print the kinds of findings; whether at most 5 % name a direction."""
    total = sum(kinds.values())
    wrong = sum(kinds[kind] for kind in DIRECTED)
    print(f"{name}: {total} null pairs, {100 * wrong / total:.1f} % with a direction; {dict(kinds)}")
    return wrong <= MOST * total


def spreads(runs: Sequence[Mapping[str, SplitStatistics]]) -> dict[str, float]:
    """Split -> standard deviation over seeds of ln rho/d of the triple 0 1 2; all triples are printed."""
    held = {}
    for split in SPLITS:
        logs = np.log([run[split].rho_d[True] for run in runs])
        i, j = np.triu_indices(len(runs), 1)
        apart = np.expm1(np.abs(logs[i] - logs[j]))
        held[split] = float(logs[:, 0].std(ddof=1))
        least = MEASURED[RECIPE][split].least
        half, most = (100 * np.quantile(apart[:, 0], q) for q in (0.5, 0.95))
        above = 100 * (apart > least).mean(axis=0)
        print(
            f"{split}: ln rho/d of 0 1 2 varies by {held[split]:.4f} over {len(runs)} seeds; pairs differ by "
            f"{half:.1f} % (median), 95 % of them by less than {most:.1f} %. Above {100 * least:.1f} % lie "
            f"{above[0]:.1f} % of the pairs; of all triples {above.mean():.1f} %, of one {above.max():.1f} %"
        )
    return held


def of_results() -> dict[tuple[str, str, str], tuple[float, int, int]]:
    """(data set, network, split) -> deviation of ln rho/d in one smoothing, degrees of freedom, networks."""
    groups: dict[tuple[str, ...], list[float]] = {}
    with open(RESULTS, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["label_smoothing"] == "" or row["teacher"]:
                continue
            for triple in ("triple1", "triple2"):
                if row[f"{triple}_rho_d"]:
                    key = (
                        row["dataset"],
                        row["model"],
                        row["split"],
                        row["recipe"],
                        row["label_smoothing"],
                        triple,
                    )
                    groups.setdefault(key, []).append(math.log(float(row[f"{triple}_rho_d"])))
    found: dict[tuple[str, str, str], list[tuple[str, list[float]]]] = {}
    for (dataset, model, split, *_, triple), logs in groups.items():
        if len(logs) > 1:
            found.setdefault((dataset, model, split), []).append((triple, logs))
    out = {}
    for key, sides in found.items():
        squares = sum(((np.array(logs) - np.mean(logs)) ** 2).sum() for _, logs in sides)
        freedom = sum(len(logs) - 1 for _, logs in sides)
        n = sum(len(logs) for triple, logs in sides if triple == "triple1")
        out[key] = (math.sqrt(squares / freedom), freedom, n)
    return out


def main() -> int:
    """Train, compare all pairs, print; 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        places = networks(root)
        stored = [{s: Activations.load(activations_path(place, s)) for s in SPLITS} for place in places]
    runs = [{s: SplitStatistics.of(a) for s, a in splits.items()} for splits in stored]
    fine = True
    for split, deviation in spreads(runs).items():
        fine &= round(deviation, 4) == MEASURED[RECIPE][split].deviation
    pairs = list(combinations(range(len(runs)), 2))
    fine &= report("clusters", Counter(said_of([runs[i], runs[j]], [i, j]) for i, j in pairs))
    alone = [{"validation": run["validation"]} for run in runs]
    fine &= report("validation alone", Counter(said_of([alone[i], alone[j]], [i, j]) for i, j in pairs))
    found = [Calibrated.of(splits["validation"]) for splits in stored]
    kinds = Counter(
        calibration_finding(Compared(NAMES, TARGETS, [i, j]), [found[i], found[j]]).kind for i, j in pairs
    )
    fine &= report("calibration", kinds)
    for key in ("ece", "aurc_softmax"):
        values = [c.value(key) or 0.0 for c in found]
        apart = [abs(values[i] - values[j]) for i, j in pairs]
        print(f"{key}: 95 % of the pairs differ by less than {np.quantile(apart, 0.95):.4f}")
    for (dataset, model, split), (deviation, freedom, n) in of_results().items():
        print(f"{dataset} {model} {split}: {deviation:.4f}, {freedom} degrees of freedom, {n} networks")
        held = MEASURED.get((dataset, model), {}).get(split)
        if held is not None and (dataset, model) != RECIPE:
            fine &= (round(deviation, 4), freedom, n) == (held.deviation, held.freedom, held.networks)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
