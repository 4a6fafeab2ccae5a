"""One file on its way into the grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict
from uuid import uuid4

from penviz.external.reader.report import FileReport
from penviz.external.sandbox.job import Job
from penviz.external.sandbox.workspace import Upload as Kept


class Choices(TypedDict, total=False):
    """What a step was started with; row: of the check's table, as the check wrote it."""

    name: str
    model: str
    dataset: str | None
    data_dir: str
    class_names: str
    targets: str
    label_smoothing: float | None
    expected: float | None
    row: dict[str, Any]


class Fields(TypedDict, total=False):
    """What the fields of a card say; row: its place in the check's table; partner: id of another upload."""

    name: str
    model: str
    dataset: str | None
    names: str
    targets: str
    alpha: float
    expected: float | None
    row: int
    triple: list[str]
    split: str
    partner: str | None


@dataclass
class Upload:
    """One file on its way into the grid.

    Attributes:
        name: as the visitor calls it; path: where its bytes lie; kept: the visitor's copy, None for a file
            that lies on this disk anyway.
        stage: "reading", "matching", "ready", "refused", "checking", "checked", "drawing" or "drawn".
        report: what the file holds; candidates: networks that fit it, best first; check: table of accuracies,
            or what a zip of images held; both as the child wrote them.
        choices: what the last step was started with; run: the directory drawn.
        out: the directory that the last step writes, or wrote; None where it writes none.
        fields: what the fields of the card say; checks: how many were started.
        checks_itself: the check starts as soon as a network is found, with what `fields` say.
        quick: whether only the three classes were run; seconds_all: how long the rest will take.
        partners: files of other splits in the same run, which show as drawn with it.
        error: why the last step ended without a result, one sentence; advice: what to do about it.
    """

    name: str
    path: Path
    kept: Kept | None = None
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    stage: str = "reading"
    job: Job | None = None
    started: float = 0.0
    report: FileReport | None = None
    candidates: list[dict[str, Any]] = field(default_factory=list)
    check: dict[str, Any] = field(default_factory=dict)
    choices: Choices = field(default_factory=Choices)
    fields: Fields = field(default_factory=Fields)
    checks: int = 0
    checks_itself: bool = False
    run: Path | None = None
    out: Path | None = None
    quick: bool = False
    seconds_all: float | None = None
    partners: list[Upload] = field(default_factory=list)
    error: str = ""
    advice: str = ""

    @property
    def busy(self) -> bool:
        """Whether work on it is under way."""
        return self.job is not None
