"""What the command line shows: progress as a bar or as JSON lines, and the table of numbers as text."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penviz.metrics.tightness.finder import FINDS, HALVED, Ranking, value_words
from penviz.metrics.wording import change_text
from penviz.store.pilots import Pilot, condition_name, conditions
from penviz.study.comparison import Comparison
from penviz.study.table import NumberRow, Table, value_text
from penviz.text_table import text_table

if TYPE_CHECKING:
    from penviz.training.progress import Progress
    from penviz.training.sweep import SweepProgress


class TrainingProgress:
    """Progress of a training as a bar, as JSON lines, or not at all."""

    def __init__(self, kind: str):
        self.kind = kind
        self.bar: Any = None

    def __enter__(self) -> Any:
        return self.report

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def report(self, message: Progress) -> None:
        """Show one message."""
        if self.kind == "json":
            print(json.dumps({"event": "train", **vars(message)}), flush=True)
        if self.kind != "bar":
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=message.epochs * message.steps, unit="step", dynamic_ncols=True, file=sys.stderr
            )
        self.bar.set_description(f"epoch {message.epoch}/{message.epochs}")
        self.bar.n = (message.epoch - 1) * message.steps + message.step
        left = duration(message.seconds_left)
        self.bar.set_postfix_str(
            f"loss {message.loss:.3f}, accuracy {message.accuracy:.3f}, "
            f"{message.images_per_second:,.0f} img/s, {left} left"
        )
        if message.line and "validation_accuracy" in message.line:
            line = message.line
            self.bar.write(
                f"epoch {line['epoch']:>4}  train {line['train_accuracy']:.4f} (nll {line['train_nll']:.3f}) "
                f" validation {line['validation_accuracy']:.4f} (nll {line['validation_nll']:.3f})",
                file=sys.stderr,
            )


class SweepBar(TrainingProgress):
    """A sweep as one bar over the epochs of all its runs, or as JSON lines."""

    def report(self, message: SweepProgress) -> None:  # type: ignore[override]
        """Show one message."""
        if self.kind == "json":
            training = message.training
            told = vars(message) | {"training": None if training is None else vars(training)}
            print(json.dumps({"event": "sweep", **told}), flush=True)
        if self.kind != "bar":
            return
        if self.bar is None:
            from tqdm import tqdm

            form = "{desc}: {percentage:3.0f} %|{bar}| {n:.1f}/{total:.0f} epochs{postfix}"
            self.bar = tqdm(total=message.total, bar_format=form, dynamic_ncols=True, file=sys.stderr)
        doing = {"train": "", "extract": " activations", "finished": " finished"}[message.stage]
        self.bar.set_description_str(f"run {message.run}/{message.runs} {message.name}{doing}", refresh=False)
        self.bar.n = message.done
        words = []
        if message.training is not None:
            words += [f"loss {message.training.loss:.3f}", f"accuracy {message.training.accuracy:.3f}"]
        if message.seconds_left is not None:
            words.append(f"{duration(message.seconds_left)} left")
        self.bar.set_postfix_str(", ".join(words))


def ranking_text(
    ranking: Ranking, how: str, class_names: Sequence[str], split: str, as_json: bool = False
) -> str:
    """Triples in their order, a line each, with rows of the head and what they are ordered by."""
    rows = list(zip(ranking.triples.tolist(), ranking.values.tolist(), strict=True))
    if as_json:
        found = [{"classes": t, "names": [class_names[k] for k in t], "value": v} for t, v in rows]
        record = {"find": how, "split": split, "n": ranking.n, "n_all": ranking.n_all, "triples": found}
        record["note"] = HALVED if ranking.halved else ""
        return json.dumps(record, indent=1)
    words = [" ".join(f"{class_names[k]} ({k})" for k in triple) for triple, _ in rows]
    cells = [
        (str(place), word, value_words(how, value))
        for place, (word, (_, value)) in enumerate(zip(words, rows, strict=True), 1)
    ]
    lines = text_table(cells, left=(1, 2)) if cells else []
    note = [HALVED] if ranking.halved else []
    return "\n".join([f"{FINDS[how]}, {split}, {ranking.among}", *note, *lines])


def duration(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class ExtractionProgress(TrainingProgress):
    """Images done, a bar a split."""

    split = ""

    def report(self, split: str, done: int, n: int) -> None:  # type: ignore[override]
        """Show how many images of a split are done."""
        if self.kind == "json":
            print(json.dumps({"event": "extract", "split": split, "done": done, "n": n}), flush=True)
        if self.kind != "bar":
            return
        if split != self.split:
            from tqdm import tqdm

            self.__exit__()
            self.bar = tqdm(total=n, unit="img", desc=split, dynamic_ncols=True, file=sys.stderr)
            self.split = split
        self.bar.update(done - self.bar.n)


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' if n != 1 else ''}"


def pilot_lines(pilot: Pilot) -> list[str]:
    """What a distillation test found, a line a condition, and on which split."""
    split = pilot.reported_on
    head = f"{pilot.dataset}, {pilot.teachers} teaching {pilot.student}, {_counted(pilot.epochs, 'epoch')}."
    lines = [["", "accuracy", "least", "greatest", "seeds", "gamma", ""]]
    for one in conditions(pilot):
        values = one.values(split)
        numbers = [f"{value:.4f}" for value in (one.mean(split), min(values), max(values))]
        gamma = "" if one.gamma is None else f"{one.gamma:.3f}"
        chosen = "best T on validation" if one.tuned else ""
        lines.append([condition_name(one), *numbers, str(len(values)), gamma, chosen])
    tuned = "Temperatures were chosen on validation."
    if split == "validation":
        tuned = "There is no test split: temperatures were chosen on the same examples, which flatters them."
    table = text_table(lines, left=(0, 6))
    return [head, *table, f"Accuracy on {split}: mean, least and greatest over the seeds. {tuned}"]


def table_text(comparison: Comparison, heads: Sequence[str]) -> str:
    """The finding and notes, then a line a number: for each split a column a run, and the change of two runs.

    Args:
        comparison: of the runs; heads: of their columns, short words for them.
    """
    finding, (own, sentence) = comparison.finding, comparison.geometry
    elsewhere = {row.number.key for row in own.rows}
    rows = tuple(row for row in comparison.table.rows if row.number.key not in elsewhere)
    named = list(heads) == comparison.names
    return "\n".join(
        [
            f"{finding.headline}.",
            finding.detail,
            *comparison.notes,
            *([] if named else [_legend(comparison.names, heads)]),
            "",
            *_lines(replace(comparison.table, rows=rows), heads),
            "",
            "Geometry of all classes (neural collapse)",
            *([sentence] if sentence else []),
            *_lines(own, heads),
        ]
    )


def _legend(names: Sequence[str], heads: Sequence[str]) -> str:
    return ", ".join(f"{head}: {name}" for head, name in zip(heads, names, strict=True)) + "."


def _lines(table: Table, heads: Sequence[str]) -> list[str]:
    """Two lines of heads, the splits above the runs, and one a number; wider gaps part the splits."""
    changed = {split: any(row.changes.get(split) for row in table.rows) for split in table.splits}
    above, below, gaps = [""], [""], {}
    for split in table.splits:
        gaps[len(above)] = 4
        own = [*heads, *(["change [95 %]"] if changed[split] else [])]
        above += [split, *[""] * (len(own) - 1)]
        below += own
    lines = [above, below]
    for row in table.rows:
        line = [_label(row)]
        for split in table.splits:
            line += [value_text(row, i, split) for i in range(len(heads))]
            line += [change_text(row.changes.get(split))] if changed[split] else []
        lines.append(line)
    return text_table(lines, gaps=gaps)


def _label(row: NumberRow) -> str:
    unit = "" if row.number.unit in row.number.label.split() else row.number.unit
    more = "; ".join(words for words in (unit, row.note) if words)
    return f"{row.number.label} ({more})" if more else row.number.label
