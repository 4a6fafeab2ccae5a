"""The results of a distillation test on disk: `pilot.json` beside its students, and a table for people.

Standard library only: the app reads it, and has no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from penviz.store.atomic_write import whole_file
from penviz.store.csv_text import csv_text
from penviz.store.run_config import RunError
from penviz.store.runs import write_json
from penviz.store.safe_text import safe_record

PILOT_FILE = "pilot.json"
TABLE_FILE = "pilot.csv"
COLUMNS = (
    *("dataset", "teachers", "student", "role", "run", "teacher", "label_smoothing", "temperature", "gamma"),
    *("seed", "temperature_tuned", "validation_accuracy", "test_accuracy", "validation_nll", "test_nll"),
)
ROLES = ("teacher", "alone", "distilled")


@dataclass(frozen=True)
class Row:
    """One network of a test.

    Attributes:
        role: "teacher", "alone" (the student on labels) or "distilled".
        run: name of its run.
        teacher: name of the teacher's run, "" for none.
        label_smoothing: of the network's own targets; of a distilled student, of its teacher's.
        temperature: of the teacher's targets, 1 where there are none.
        gamma: equivalent smoothing of what the network learns from; None until it is known.
        seed: of the network.
        accuracy: split -> share, of validation and test where there is one.
        nll: split -> nats.
    """

    role: str
    run: str
    teacher: str
    label_smoothing: float
    temperature: float
    gamma: float | None
    seed: int
    accuracy: dict[str, float]
    nll: dict[str, float]


@dataclass(frozen=True)
class Pilot:
    """A distillation test, finished or under way.

    Attributes:
        directory: where its students lie.
        kind: "pilot" (every teacher at every temperature) or "sweep" (as figure 5 of Müller et al. 2019).
        dataset, teachers, student: names of the data and of the networks.
        epochs: of a student.
        loss, weight: RunConfig.distillation_loss and distillation_weight.
        finished: all students are trained.
        seconds: that the students took, as measured.
        rows: one a network.
        command: that made it.
    """

    directory: Path
    kind: str
    dataset: str
    teachers: str
    student: str
    epochs: int
    loss: str
    weight: float
    finished: bool
    seconds: float
    rows: tuple[Row, ...]
    command: str = ""

    @property
    def reported_on(self) -> str:
        """The split that results are given on: test, or validation where there is no test split."""
        return "test" if all("test" in row.accuracy for row in self.rows) else "validation"


@dataclass(frozen=True)
class Condition:
    """All seeds of one kind of network.

    Attributes:
        role, label_smoothing, temperature: as in Row.
        rows: one a seed.
        tuned: the temperature is the teacher's best on validation, mean over the seeds.
    """

    role: str
    label_smoothing: float
    temperature: float
    rows: tuple[Row, ...]
    tuned: bool = False

    def values(self, split: str) -> list[float]:
        """Accuracy of each seed."""
        return [row.accuracy[split] for row in self.rows]

    def mean(self, split: str) -> float:
        """Mean accuracy over the seeds."""
        values = self.values(split)
        return sum(values) / len(values)

    @property
    def gamma(self) -> float | None:
        """Mean equivalent smoothing over the seeds."""
        known = [row.gamma for row in self.rows if row.gamma is not None]
        return sum(known) / len(known) if known else None


def conditions(pilot: Pilot) -> list[Condition]:
    """Rows of equal role, smoothing and temperature, in the order of ROLES; which temperatures are tuned.

    The temperature of a teacher is the one whose students are best on validation in the mean over the seeds,
    the lowest of equals; the test split has no say.
    """
    keys = sorted(
        {(row.role, row.label_smoothing, row.temperature) for row in pilot.rows},
        key=lambda key: (ROLES.index(key[0]), *key[1:]),
    )
    found = []
    for key in keys:
        rows = [r for r in pilot.rows if (r.role, r.label_smoothing, r.temperature) == key]
        found.append(Condition(*key, tuple(sorted(rows, key=lambda r: r.seed))))
    best: dict[float, Condition] = {}
    for one in found:
        if one.role == "distilled":
            known = best.get(one.label_smoothing)
            if known is None or one.mean("validation") > known.mean("validation"):
                best[one.label_smoothing] = one
    chosen = {id(one) for one in best.values()}
    return [Condition(c.role, c.label_smoothing, c.temperature, c.rows, id(c) in chosen) for c in found]


def condition_name(one: Condition) -> str:
    """A condition in words."""
    targets = "hard" if one.label_smoothing == 0 else f"soft \u03b1 = {one.label_smoothing:g}"
    if one.role == "teacher":
        return f"teacher, {targets}"
    if one.role == "alone":
        return f"student alone, {targets}"
    return f"student of the {targets} teacher, T = {one.temperature:g}"


def read_pilot(directory: Path) -> Pilot | None:
    """The test whose students lie in a directory, None where there is none; RunError for a damaged file."""
    path = directory / PILOT_FILE
    if not path.is_file():
        return None
    try:
        record = safe_record(json.loads(path.read_text(encoding="utf-8")))
        rows = tuple(Row(**row) for row in record.pop("rows"))
        pilot = Pilot(directory=directory, rows=rows, **record)
        if not _fits(pilot):
            raise ValueError
        return pilot
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RunError(f"{path} is not readable: run its command again.") from None


def _fits(pilot: Pilot) -> bool:
    """Whether every entry is of its type: nothing else looks at them before they are drawn."""
    words = [pilot.kind, pilot.dataset, pilot.teachers, pilot.student, pilot.loss, pilot.command]
    words += [word for row in pilot.rows for word in (row.run, row.teacher)]
    numbers = [pilot.epochs, pilot.weight, pilot.seconds]
    for row in pilot.rows:
        numbers += [row.label_smoothing, row.temperature, row.seed, *row.accuracy.values()]
        numbers += [] if row.gamma is None else [row.gamma]
    return (
        all(isinstance(word, str) for word in words)
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and all(row.role in ROLES and pilot.reported_on in row.accuracy for row in pilot.rows)
        and all("validation" in row.accuracy for row in pilot.rows if row.role != "teacher")
        and all(isinstance(value, int | float) for row in pilot.rows for value in row.nll.values())
    )


def find_pilots(roots: Sequence[Path]) -> tuple[list[Pilot], list[str]]:
    """Tests in some directories and one level below them, and sentences about those that cannot be read."""
    found, sentences = [], []
    places = [p for root in roots if root.is_dir() for p in (root, *sorted(root.iterdir())) if p.is_dir()]
    for place in dict.fromkeys(places):
        try:
            pilot = read_pilot(place)
        except RunError as error:
            sentences.append(str(error))
            continue
        if pilot is not None:
            found.append(pilot)
    return found, sentences


def write_pilot(pilot: Pilot) -> None:
    """Write pilot.json and pilot.csv, each whole or not at all."""
    record: dict[str, Any] = {
        f.name: getattr(pilot, f.name) for f in fields(pilot) if f.name not in ("directory", "rows")
    }
    write_json(pilot.directory / PILOT_FILE, record | {"rows": [asdict(row) for row in pilot.rows]})
    tuned = {id(row) for one in conditions(pilot) if one.tuned for row in one.rows}
    lines: list[tuple[object, ...]] = [COLUMNS]
    for row in pilot.rows:
        numbers = [
            scores.get(split) for scores in (row.accuracy, row.nll) for split in ("validation", "test")
        ]
        words = (pilot.dataset, pilot.teachers, pilot.student, row.role, row.run, row.teacher)
        chosen = "yes" if id(row) in tuned else ""
        values = (row.label_smoothing, row.temperature, row.gamma, row.seed, chosen, *numbers)
        lines.append((*words, *("" if v is None else v for v in values)))
    with whole_file(pilot.directory / TABLE_FILE) as part:
        part.write_text(csv_text(lines), encoding="utf-8", newline="")
