"""`python -m reproduction`: make the next run, all of a tier, or the report.

    python -m reproduction next --tier short     the next unfinished run; again to go on
    python -m reproduction all --tier digits     every run of a tier, then its report
    python -m reproduction times                 training_time.csv from the snapshots of the measured runs
    python -m reproduction fill                  cells of results.csv that were added since a run was measured
    python -m reproduction report                figures and tables from results.csv and the runs
    python -m reproduction list                  what is done and what is left
    python -m reproduction ship ID ...           copies of runs, small enough to lie in checkpoints/
    python -m reproduction students              measured students, for the page Distillation

`next` needs neither Streamlit nor a drawing library.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import typer

from penviz import InputError, exit_codes
from penviz.exit_codes import say
from reproduction.manifest import HERE, TIERS, Manifest, by_recipe, read_manifest
from reproduction.results import read_results
from reproduction.slices import Slice, pending, take_next

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

ROOT = HERE.parent
RESULTS = HERE / "results.csv"
REPORT = ROOT / "docs" / "reproduction.md"
SHIPPED = ROOT / "checkpoints"

Tier = Annotated[str, typer.Option(help=f"{', '.join(TIERS)}.")]
Seconds = Annotated[float, typer.Option(help="Length of the slice; 0 for no end.")]
DataDir = Annotated[Path, typer.Option(help="Where data sets lie.")]
Out = Annotated[Path, typer.Option(help="Directory of the runs.")]
Results = Annotated[
    Path | None, typer.Option(help="The table; reproduction/results.csv, or in --out for the tier digits.")
]
Target = Annotated[
    Path | None, typer.Option(help="The report; docs/reproduction.md, or in --out for the tier digits.")
]
Progress = Annotated[str, typer.Option(help="bar, json or none.")]


def _slice(
    tier: str, seconds: float, data_dir: Path, out: Path, results: Path | None, progress: str
) -> Slice:
    if progress not in ("bar", "json", "none"):
        raise InputError("--progress must be bar, json or none.")
    if not 0 <= seconds < math.inf:
        raise InputError("--slice-seconds must be a number of at least 0; 0 is for no end.")
    deadline = time.monotonic() + seconds if seconds else float("inf")
    table = results or _own(tier, out, RESULTS)
    return Slice(out, SHIPPED, table, data_dir, deadline, progress=progress, say=say)


def _own(tier: str, out: Path, usual: Path) -> Path:
    """The digits only test the command: they stay out of the project's own table and report."""
    return out / usual.name if tier == "digits" else usual


def _work(manifest: Manifest, tier: str, work: Slice, only: str | None, n_runs: int) -> int:
    """Take up to `n_runs` runs and return how many; ends with status 130 when the user stopped it."""
    from penviz.training.progress import stop_on_signal

    with stop_on_signal() as stopped:
        work.stopped = stopped
        taken = 0
        while taken < n_runs and not work.over() and take_next(manifest, tier, work, only):
            taken += 1
    if stopped():
        raise typer.Exit(130)
    return taken


@app.command(name="next")
def take(
    tier: Tier = "short",
    slice_seconds: Seconds = 600.0,
    data_dir: DataDir = Path("data"),
    out: Out = Path("runs/reproduction"),
    results: Results = None,
    run: Annotated[str | None, typer.Option(help="Only this run of the manifest.")] = None,
    progress: Progress = "bar",
) -> None:
    """Take the next unfinished run: train, extract, measure, as far as the slice goes."""
    manifest = read_manifest()
    if run is not None and run not in {listed.id for listed in manifest.of_tier(tier)}:
        raise InputError(f"The tier {tier} has no run {run}: see python -m reproduction list --tier {tier}.")
    work = _slice(tier, slice_seconds, data_dir, out, results, progress)
    if not _work(manifest, tier, work, run, 1):
        say("No run was taken: the slice was over, or what is left is in other hands or waits for a teacher.")
    left, total = len(pending(manifest, tier, work.results)), len(manifest.of_tier(tier))
    say(f"Tier {tier}: {total - left} of {total} runs are measured.")


@app.command(name="all")
def make_all(
    tier: Tier = "short",
    slice_seconds: Seconds = 0.0,
    data_dir: DataDir = Path("data"),
    out: Out = Path("runs/reproduction"),
    results: Results = None,
    report: Target = None,
    progress: Progress = "bar",
) -> None:
    """Make every run of a tier, then draw the figures and tables; the same command goes on after a kill."""
    manifest = read_manifest()
    work = _slice(tier, slice_seconds, data_dir, out, results, progress)
    if report is not None and (out.is_dir() or report.parent != out):  # known before hours of work
        from reproduction.report import check_target

        check_target(report)
    _work(manifest, tier, work, None, len(manifest.of_tier(tier)))
    left = pending(manifest, tier, work.results)
    if left:
        say(f"Tier {tier}: {len(left)} runs are left, the next is {left[0].id}; the same command goes on.")
        return
    _report(manifest, work.results, report or _own(tier, out, REPORT), out, tier)


@app.command()
def fill(out: Out = Path("runs/reproduction"), results: Results = None) -> None:
    """Measure the columns that were added after a run was measured, where its run is here."""
    from reproduction.figures import find_run
    from reproduction.measurement import of_one_split, summarise
    from reproduction.results import fill_results

    table = results or RESULTS
    digests = {row["id"]: row["model_sha256"] for row in read_results(table)}
    measured: dict[tuple[str, str], dict[str, object]] = {}
    for listed in read_manifest().runs:
        run = find_run(listed, (out, SHIPPED), digests[listed.id]) if listed.id in digests else None
        for split, summary in (summarise(run) if run is not None else {}).items():
            measured[listed.id, split] = of_one_split(listed, summary)
    say(f"Filled {fill_results(table, measured)} cells of {table}.")


@app.command()
def times(out: Out = Path("runs/reproduction"), results: Results = None) -> None:
    """Measure all triples at every snapshot of the measured runs that are here, into training_time.csv."""
    from reproduction.figures import find_run
    from reproduction.training_time import TIMES, measure_times, write_times

    manifest, digests = (
        read_manifest(),
        {r["id"]: r["model_sha256"] for r in read_results(results or RESULTS)},
    )
    found = {
        listed.id: find_run(listed, (out, SHIPPED), digests.get(listed.id, "")) for listed in manifest.runs
    }
    rows = []
    for listed in manifest.runs:
        run, reference = found[listed.id], manifest.reference(listed)
        if run is None or run.record.get("thinned"):  # a shipped copy, whose snapshots may be fewer
            continue
        if listed.recipe.snapshots:
            rows += measure_times(listed, run, None if reference is None else found[reference.id])
    write_times(rows)
    say(f"Wrote {TIMES}")


@app.command()
def report(out: Out = Path("runs/reproduction"), results: Results = None, report: Target = None) -> None:
    """Draw every figure and table that results.csv and the runs hold, into the report."""
    _report(read_manifest(), results or RESULTS, report or REPORT, out, None)


def _report(manifest: Manifest, results: Path, target: Path, out: Path, tier: str | None) -> None:
    from reproduction.figures import draw_figures
    from reproduction.report import check_target, write_report

    rows = read_results(results)
    if not rows:
        raise InputError(f"{results} holds no run: python -m reproduction next makes the first.")
    check_target(target)
    tiers = ("digits",) if tier == "digits" else tuple(t for t in TIERS if t != "digits")
    try:
        for path in draw_figures(manifest, rows, (out, SHIPPED), target, say):
            say(f"Wrote {path}")
    except ModuleNotFoundError as error:  # a machine that only trains
        say(f"{error.name} is not installed here: the tables are drawn, the figures are not.")
    write_report(target, manifest, rows, tiers)
    say(f"Wrote {target}")


@app.command(name="ship")
def ship_runs(
    ids: Annotated[list[str], typer.Argument(help="Names of extracted runs in --out.")],
    out: Out = Path("runs/reproduction"),
    to: Annotated[Path, typer.Option(help="Directory of the copies.")] = SHIPPED,
    per_class: Annotated[
        int, typer.Option(min=0, help="Examples a class and split, the first as in an extraction; 0 for all.")
    ] = 300,
    split: Annotated[list[str] | None, typer.Option(help="Only these splits.")] = None,
    snapshots: Annotated[
        int, typer.Option(min=0, help="Examples a class of each snapshot; 0 for no snapshots.")
    ] = 0,
    epochs: Annotated[
        int, typer.Option(min=0, help="Snapshots, the first and the last among them; 0 for all.")
    ] = 0,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Copy the thumbnails too.")] = False,
    weights: Annotated[bool, typer.Option("--weights", help="Copy the weights too.")] = False,
    test_per_class: Annotated[
        int, typer.Option(min=0, help="Examples a class of the test split; 0 for as many as of the others.")
    ] = 0,
) -> None:
    """Write small copies of runs: fewer examples, features in half precision, and run.json says so."""
    from penviz.store.runs import read_run
    from reproduction.ship import Kept, ship

    kept = Kept(per_class, tuple(split or ()), snapshots, epochs, thumbnails, weights, test_per_class)
    for place in ship([read_run(out / name) for name in ids], to, kept):
        size = sum(file.stat().st_size for file in place.iterdir()) / 1e6
        say(f"Wrote {place}, {size:.1f} MB")


@app.command()
def students(
    to: Annotated[Path, typer.Option(help="Directory of runs that the app opens.")] = SHIPPED,
    results: Results = None,
) -> None:
    """Write the students that results.csv holds where the page Distillation finds them."""
    from dataclasses import replace

    from penviz.store.pilots import write_pilot
    from reproduction.distillation import gathered, taught
    from reproduction.tables import Results as Measured
    from reproduction.tables import read_published

    measured = Measured(read_manifest(), read_results(results or RESULTS), TIERS, read_published())
    for recipe, teachers in taught(measured):
        place = to / f"{recipe.name}s"
        place.mkdir(parents=True, exist_ok=True)
        write_pilot(replace(gathered(measured, recipe, teachers), directory=place))
        say(f"Wrote {place}")


@app.command(name="list")
def show(tier: Tier = "short", out: Out = Path("runs/reproduction"), results: Results = None) -> None:
    """Print the runs of a tier, and which are measured."""
    manifest = read_manifest()
    left = {run.id for run in pending(manifest, tier, results or _own(tier, out, RESULTS))}
    for recipe, runs in by_recipe(manifest.of_tier(tier)).items():
        print(f"{recipe}: {runs[0].command(out)}")
        for run in runs:
            state = "left    " if run.id in left else "measured"
            print(f"  {state}  {run.id:<36} {', '.join(run.purposes)}")


def main() -> None:
    """Run a verb; bad input ends with one sentence on standard error and exit status 2."""
    exit_codes.run(app)


if __name__ == "__main__":
    main()
