"""What five articles claim, measured: a table of numbers and docs/claims.md.

    python -m reproduction.articles ROOT

ROOT holds one directory a sweep (reproduction/articles.yaml has the commands). What is not there yet stands
in the table as not tested; the same command later fills it in.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz import InputError, exit_codes
from penviz.figures.charts.sweep import digest
from penviz.metrics.intervals.bootstrap import Change, one_a_seed
from penviz.store.atomic_write import whole_file
from penviz.store.runs import Run, list_runs, read_run
from penviz.study.sweep import mean_change, t_interval
from reproduction.articles_plan import EPSILON, N_ATTACKED, ROBUST, SIGMA, Side, answer_word, read_plan, sides
from reproduction.articles_report import Line, report

HERE = Path(__file__).resolve().parent
TABLE = HERE / "articles.csv"
REPORT = HERE.parent / "docs" / "claims.md"
COLUMNS = (
    *("article", "claim", "number", "split", "sweep", "network", "before_alpha", "after_alpha", "n_before"),
    *("n_after", "before", "after", "difference", "low", "high", "expected", "verdict", "command"),
)


def verdict(change: Change, expected: str) -> str:
    """ "held", "not held" where the interval excludes it, else "undecided"; "not tested" without one."""
    if change.low is None or change.high is None or not math.isfinite(change.low):
        return "not tested"
    if not change.clear:
        return "undecided"
    return "held" if (change.value > 0) == (expected == "more") else "not held"


class Measured:
    """The runs below a root and their numbers, each read once."""

    def __init__(self, root: Path, data_dir: Path) -> None:
        self.root, self.data_dir = root, data_dir
        self.runs = cache(self._runs)
        self.values = cache(self._values)

    def _runs(self, sweep: str) -> tuple[Path, ...]:
        found, _ = list_runs(self.root / sweep)
        return tuple(run.directory for run in found if len(run.splits()) > 1 and run.model_sha256)

    def _values(self, directory: Path, robust: bool) -> dict[str, dict[str, float | None]]:
        run = _read(directory)
        if robust:
            return {"validation": self._robust(run)}
        return {split: dict(values) for split, values in digest(run).items()}

    def _robust(self, run: Run) -> dict[str, float | None]:
        from penviz.training import checkpoints
        from penviz.training.data_set import DataSet
        from penviz.training.robustness import robustness

        config = run.config
        loaded = _load(config.dataset, config.seed, config.hold_out, self.data_dir)
        assert isinstance(loaded, DataSet)
        found = robustness(
            checkpoints.load_network(run),
            loaded.splits["validation"],
            config.crop,
            sigma=SIGMA,
            epsilon=EPSILON,
            n=N_ATTACKED,
            seed=config.seed,
        )
        return {
            "robust_noise": found.noise,
            "robust_fgsm": found.fgsm,
            "robust_steps10": found.steps10,
            "robust_masked": found.no_gradient,
        }

    def of(self, side: Side) -> list[float]:
        """The number of a side, one value a seed."""
        found = []
        for directory in self.runs(side.sweep):
            run = _read(directory)
            if run.config.label_smoothing == side.label_smoothing:
                value = self.values(directory, side.number in ROBUST)[side.split].get(side.number)
                found.append((run.config.seed, value))
        return one_a_seed(found)


_read = cache(read_run)


@cache
def _load(dataset: str, seed: int, hold_out: int, data_dir: Path) -> object:
    from penviz.training import data

    return data.load(dataset, seed=seed, n_hold_out=hold_out, data_dir=data_dir)


def compare_sides(measured: Measured, before: Side, after: Side) -> tuple[list[float], list[float], Change]:
    """Values of both sides and the change of the mean over seeds, with its interval from three seeds on."""
    there = measured.of(after)
    if before.constant is not None:
        mean = sum(there) / len(there) if there else math.nan
        low, high = t_interval(there) if there else (math.nan, math.nan)
        c = before.constant
        known = math.isfinite(low)
        change = Change(mean - c, low - c if known else None, high - c if known else None, False)
        return [c], there, change
    here = measured.of(before)
    if not here or not there:
        return here, there, Change(math.nan, None, None, False)
    return here, there, mean_change(here, there)


def lines_of(plan: Mapping[str, Any], measured: Measured) -> list[Line]:
    """A line a claim and sweep, in the order of the plan."""
    lines = []
    for claim in plan["claims"]:
        if "answer" in claim:
            lines.append(_line(article=claim["article"], claim=claim["claim"], verdict=answer_word(claim)))
            continue
        for before, after in sides(claim):
            here, there, change = compare_sides(measured, before, after)
            runs = measured.runs(after.sweep)
            config = _read(runs[0]).config if runs else None
            commands = [plan["sweeps"][s] for s in dict.fromkeys((before.sweep, after.sweep)) if s]
            lines.append(
                _line(
                    article=claim["article"],
                    claim=claim["claim"],
                    number=after.number,
                    split=after.split,
                    sweep=" and ".join(dict.fromkeys(s for s in (before.sweep, after.sweep) if s)),
                    network="" if config is None else f"{config.model} on {config.dataset}",
                    before_alpha="" if before.constant is not None else f"{before.label_smoothing:g}",
                    after_alpha=f"{after.label_smoothing:g}",
                    n_before=str(len(here)) if before.constant is None else "",
                    n_after=str(len(there)),
                    before=_mean(here),
                    after=_mean(there),
                    difference=_said(change.value),
                    low=_said(change.low),
                    high=_said(change.high),
                    expected=claim["measured"]["expected"],
                    verdict=verdict(change, claim["measured"]["expected"]),
                    command=" && ".join(commands),
                )
            )
    return lines


def _line(**values: str) -> Line:
    return {name: values.get(name, "") for name in COLUMNS}


def _said(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def _mean(values: Sequence[float]) -> str:
    return _said(sum(values) / len(values)) if values else ""


def write_table(path: Path, lines: Sequence[Line]) -> None:
    """The lines as CSV, whole or not at all."""
    with whole_file(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def measure_claims(
    root: Annotated[Path, typer.Argument(help="Holds one directory a sweep.")],
    data_dir: Annotated[Path, typer.Option(help="Where data sets lie, for the attacks.")] = Path("data"),
    table: Annotated[Path, typer.Option(help="The table of numbers.")] = TABLE,
    target: Annotated[Path, typer.Option(help="The report.")] = REPORT,
) -> None:
    """Measure every claim on the sweeps that are there, and write the table and the report."""
    if not root.is_dir():
        raise InputError(f"There is no directory {root}.")
    plan = read_plan()
    lines = lines_of(plan, Measured(root, data_dir))
    write_table(table, lines)
    with whole_file(target) as part:
        part.write_text(report(plan, lines), encoding="utf-8")
    counts = {
        w: sum(line["verdict"] == w for line in lines)
        for w in ("held", "not held", "undecided", "not tested")
    }
    exit_codes.say(
        f"Wrote {table} and {target}: " + ", ".join(f"{n} {word}" for word, n in counts.items()) + "."
    )


def main() -> None:
    """Run it; bad input ends with one sentence on standard error and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(measure_claims)
    exit_codes.run(app)


if __name__ == "__main__":
    main()
