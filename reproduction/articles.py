"""What five articles claim, measured: a table of numbers and docs/claims.md.

    python -m reproduction.articles ROOT

ROOT holds one directory a sweep (reproduction/articles.yaml has the commands). What is not there yet stands
in the table as not tested; the same command later fills it in.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from penviz import InputError, ending
from penviz.charts.sweep import digest
from penviz.measure.intervals import Change
from penviz.measure.sweep import SWEPT_BY_KEY, mean_change, t_interval
from penviz.measure.wording import three
from penviz.runs import Run, list_runs

HERE = Path(__file__).resolve().parent
PLAN = HERE / "articles.yaml"
TABLE = HERE / "articles.csv"
REPORT = HERE.parent / "docs" / "claims.md"
COLUMNS = (
    *("article", "claim", "number", "split", "sweep", "network", "before_alpha", "after_alpha", "n_before"),
    *("n_after", "before", "after", "difference", "low", "high", "expected", "verdict", "command"),
)

SIGMA, EPSILON, N_ATTACKED = 0.1, 0.02, 500
"""Of the noise and of the attacks, pixels in [0, 1]; validation examples that each network is attacked on."""

ROBUST = {
    "robust_noise": f"accuracy under Gaussian noise, sigma {SIGMA:g}",
    "robust_fgsm": f"accuracy after one step up the loss, epsilon {EPSILON:g}",
    "robust_steps10": f"accuracy after ten steps up the margin, epsilon {EPSILON:g}",
    "robust_masked": "share of examples without a gradient",
}

Line = dict[str, str]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a number of the runs of a sweep with one alpha, or a constant."""

    number: str
    split: str
    sweep: str = ""
    label_smoothing: float = 0.0
    constant: float | None = None


def read_plan(path: Path = PLAN) -> dict[str, Any]:
    """The sweeps, articles and claims; InputError where a claim names what is not there."""
    plan: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for claim in plan["claims"]:
        if extra := claim.keys() - {"article", "claim", "measured", "answer", "see"}:
            raise InputError(
                f"{path.name}: a claim has the unknown keys {', '.join(map(str, extra))}: {claim}."
            )
        if ("measured" in claim) == ("answer" in claim) or claim["article"] not in plan["articles"]:
            raise InputError(f"{path.name}: a claim needs an article and either measured or answer: {claim}.")
        for before, after in sides(claim) if "measured" in claim else ():
            for side in (before, after):
                known = side.number in SWEPT_BY_KEY or side.number in ROBUST
                if side.constant is None and not (known and side.sweep in plan["sweeps"]):
                    raise InputError(f"{path.name} names an unknown number or sweep: {side}.")
    return plan


def sides(claim: Mapping[str, Any]) -> list[tuple[Side, Side]]:
    """Before and after of every comparison of a claim."""
    m = claim["measured"]
    split = m.get("split", "validation")

    def side(value: Any, sweep: str, number: str) -> Side:
        if isinstance(value, list):
            sweep, value = value
        return Side(number, split, sweep, float(value))

    made = []
    for sweep in m.get("sweeps", [""]):
        before = (
            Side(m["number"], split, constant=float(m["constant"]))
            if "constant" in m
            else side(m["before"], sweep, m.get("before_number", m["number"]))
        )
        made.append((before, side(m["after"], sweep, m["number"])))
    return made


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
        from penviz.learn import checkpoints, data
        from penviz.learn.robustness import robustness

        config = run.config
        loaded = _load(config.dataset, config.seed, config.hold_out, self.data_dir)
        assert isinstance(loaded, data.DataSet)
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
        """The number of every run of a side, by seed."""
        found = []
        for directory in self.runs(side.sweep):
            run = _read(directory)
            if run.config.label_smoothing == side.label_smoothing:
                value = self.values(directory, side.number in ROBUST)[side.split].get(side.number)
                if value is not None:
                    found.append((run.config.seed, float(value)))
        return [value for _, value in sorted(found)]


@cache
def _read(directory: Path) -> Run:
    from penviz.runs import read_run

    return read_run(directory)


@cache
def _load(dataset: str, seed: int, hold_out: int, data_dir: Path) -> object:
    from penviz.learn import data

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
            word = next(
                (w for w in ("not held", "not tested", "held") if str(claim["answer"]).startswith(w)), ""
            )
            lines.append(_line(article=claim["article"], claim=claim["claim"], verdict=word))
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


def report(plan: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """docs/claims.md."""
    text = [
        "# What five articles claim, and what came out",
        "",
        "Every claim of the articles that this project answers, with the experiment or the test that does. "
        "Made by `python -m reproduction.articles ROOT`; the numbers are in `reproduction/articles.csv`, the "
        "plan, fixed before its numbers were seen (those of `alexnet` excepted), in "
        "`reproduction/articles.yaml`.",
        "",
        "A difference is after minus before, means over training seeds with Welch's 95 % interval; three "
        "seeds a side or more. **Held**: the interval excludes 0 on the side of the claim. **Not held**: on "
        "the other side. **Undecided**: it contains 0, or three seeds are too few to see so small a "
        "difference. The networks are small and the schedules short: what holds here may not for yours.",
        "",
        f"Attacks and noise are on the first {N_ATTACKED} validation examples, pixels in [0, 1]: noise of "
        f"standard deviation {SIGMA:g}, steps of at most {EPSILON:g}. A caveat that belongs to them: an "
        "attack follows the gradient, and a network that is sure has none left in float32, so that it looks "
        "robust (gradient masking). The attack on the margin does not suffer from it; believe that one.",
        "",
    ]
    for article, about in plan["articles"].items():
        text += [
            f"## Article {article}: {about}",
            "",
            "| claim | where | measured | verdict |",
            "|---|---|---|---|",
        ]
        for claim in (c for c in plan["claims"] if c["article"] == article):
            if "answer" in claim:
                see = f" ([{claim['see']}](../{claim['see']}))" if "see" in claim else ""
                text.append(f"| {claim['claim']} |  | {claim['answer']}{see} | {_own_word(claim)} |")
                continue
            for line in (x for x in lines if x["claim"] == claim["claim"] and x["article"] == article):
                text.append(f"| {claim['claim']} | {_where(line)} | {_measured(line)} | {line['verdict']} |")
        text.append("")
    text += ["## Commands", "", "Each with `--seed 0 --seed 1 --seed 2`, the default.", "", "```"]
    text += [f"{command}" for command in plan["sweeps"].values()]
    text += ["python -m reproduction.articles ROOT", "```", ""]
    return "\n".join(text)


def _own_word(claim: Mapping[str, Any]) -> str:
    answer = str(claim["answer"])
    return next((w for w in ("not held", "not tested", "held") if answer.startswith(w)), "see there")


def _where(line: Line) -> str:
    return f"{line['sweep']}: {line['network']}, {line['split']}" if line["network"] else line["sweep"]


def _measured(line: Line) -> str:
    number = line["number"]
    label = ROBUST.get(number) or SWEPT_BY_KEY[number].label
    if not line["before"] or not line["after"]:
        return f"{label}: no runs yet"
    before = "" if line["before_alpha"] == "" else f" at α = {line['before_alpha']}"
    said = f"{label} {_three(line['before'])}{before} to {_three(line['after'])} at α = {line['after_alpha']}"
    if not line["low"]:
        n = line["n_after"]
        return f"{said}; {n} {'seed' if n == 1 else 'seeds'}, too few for an interval"
    ends = f"[{_three(line['low'])}, {_three(line['high'])}]"
    return f"{said}: {_three(line['difference'])} {ends}, {line['n_after']} seeds"


def _three(value: str) -> str:
    return three(float(value)).replace("-", "−")


def write_table(path: Path, lines: Sequence[Line]) -> None:
    """The lines as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    _write(path, text.getvalue())


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
    _write(target, report(plan, lines))
    counts = {
        w: sum(line["verdict"] == w for line in lines)
        for w in ("held", "not held", "undecided", "not tested")
    }
    ending.say(f"Wrote {table} and {target}: " + ", ".join(f"{n} {word}" for word, n in counts.items()) + ".")


def main() -> None:
    """Run it; bad input ends with one sentence on standard error and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(measure_claims)
    ending.run(app)


if __name__ == "__main__":
    main()
