"""docs/reproduction.md: prose by hand, and between markers the tables that results.csv holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from penviz.store.atomic_write import whole_file
from penviz.store.run_config import RunError
from reproduction import (
    arc,
    claims,
    distillation,
    figures,
    information,
    past_fit,
    tables,
    training_time_report,
)
from reproduction.manifest import Manifest
from reproduction.results import Row
from reproduction.tables import Results, read_published
from reproduction.training_time import read_times

HEADS = {
    "figures": "Figures",
    "accuracy": "Accuracy (Table 2)",
    "calibration": "Calibration (Table 3)",
    "tightness": "Clusters (Figure 1)",
    "arc": "Two similar classes and a distant one (Figure 1, row 4)",
    "past-fit": "Trained past fit",
    "training-time": "Tightness against training time",
    "logits": "Logits",
    "distillation": "Distillation (Figure 5)",
    "information": "Mutual information (Figure 6)",
    "claims": "What was claimed",
    "recipes": "Recipes",
    "not-run": "Not run",
    "runs": "Runs",
}
"""Blocks of the report, and their heads where the report is made anew."""

BEGIN, END = "<!-- {}: drawn by python -m reproduction report -->", "<!-- end of {} -->"


def draw_blocks(
    manifest: Manifest, rows: Sequence[Row], tiers: Sequence[str], target: Path
) -> dict[str, str]:
    """Every block of the report by name, from the rows and the figures beside the report."""
    results = Results(manifest, rows, tiers, read_published())
    return {
        "figures": figures.listed(results, target),
        "accuracy": tables.accuracy(results),
        "calibration": tables.calibration(results),
        "tightness": tables.tightness(results),
        "arc": arc.arc(results),
        "past-fit": past_fit.past_fit(results),
        "training-time": training_time_report.block(results, read_times()),
        "logits": tables.logits(results),
        "distillation": distillation.distillation(results),
        "information": information.information(results),
        "claims": claims.claims(results),
        "recipes": tables.recipes(results),
        "not-run": tables.not_run(results),
        "runs": tables.runs(results),
    }


def fill(text: str, blocks: dict[str, str]) -> str:
    """A report with its blocks replaced.

    Raises:
        RunError: the report lacks the markers of a block, or has them twice.
    """
    for name, block in blocks.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed) or begin in rest or end in before + after:
            raise RunError(f"The report needs the line {begin} once, and {end} once after it.")
        text = f"{before}{begin}\n\n{block}\n\n{end}{after}"
    return text


def skeleton() -> str:
    """A report without prose."""
    parts = ["# Reproduction\n"]
    parts += [f"## {head}\n\n{BEGIN.format(name)}\n{END.format(name)}\n" for name, head in HEADS.items()]
    return "\n".join(parts)


def check_target(target: Path) -> None:
    """Before anything is drawn: a report can be written there, and one that is there has its markers.

    Raises:
        RunError: no directory to write into, a directory in the way, or a report without markers.
    """
    if not target.parent.is_dir():
        raise RunError(f"There is no directory {target.parent}: make it, or choose another --report.")
    if target.is_dir():
        raise RunError(f"{target} is a directory: choose another --report.")
    fill(_text(target), dict.fromkeys(HEADS, ""))


def _text(target: Path) -> str:
    """The report that is there, or a new one."""
    try:
        return target.read_text(encoding="utf-8") if target.is_file() else skeleton()
    except UnicodeDecodeError:
        raise RunError(f"{target} is not text in UTF-8: choose another --report.") from None


def write_report(target: Path, manifest: Manifest, rows: Sequence[Row], tiers: Sequence[str]) -> None:
    """Draw the blocks of a report; a report that is not there is made with heads only."""
    text = fill(_text(target), draw_blocks(manifest, rows, tiers, target))
    with whole_file(target) as part:
        part.write_text(text, encoding="utf-8")
