"""What a visitor brought, step after step: read, matched, checked, drawn. Every step runs in the sandbox."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.app.upload import Choices, Upload
from penviz.app.visitor import Visitor, sandbox
from penviz.demo import EXAMPLE, EXAMPLE_IMAGES
from penviz.external.reader.report import OF_WEIGHTS, FileReport
from penviz.external.sandbox.answer import Budget, SandboxError
from penviz.external.sandbox.workspace import Upload as Kept
from penviz.store.safe_text import safe_name

GIB = 2**30

BUDGETS = {
    "inspect": (GIB, 60, 120),
    "match": (2 * GIB, 60, 120),
    "check": (6 * GIB, 1200, 1800),
    "adopt": (12 * GIB, 6 * 3600, 6 * 3600),
    "activations": (4 * GIB, 600, 900),
    "run": (4 * GIB, 600, 900),
    "folder": (GIB, 600, 900),
}
"""Task -> bytes of memory, seconds of processor time and seconds on the clock that it may take."""

QUICK_PER_CLASS, PER_CLASS = 100, 1000
"""Examples a class and split in a quick look; training examples a class in full, validation being whole."""

IMAGES = "zip of images"

RUN = "penviz run"


def begin(visitor: Visitor, upload: Upload, stage: str, task: str, arguments: dict[str, Any]) -> None:
    """Start a step in the sandbox."""
    upload.error = upload.advice = ""
    upload.stage = stage
    upload.started = time.monotonic()
    upload.out = Path(arguments["out"]) if "out" in arguments else None
    makes = [] if upload.out is None else [upload.out]
    if upload.out is not None:
        arguments = arguments | {"out": upload.out.name}
    try:
        upload.job = visitor.workspace.start(sandbox(), task, arguments, Budget(*BUDGETS[task]), makes)
    except InputError as error:
        _fail(upload, str(error))


def bring(visitor: Visitor, name: str, path: Path, kept: Kept | None = None) -> Upload:
    """Take a file in and start to read what it is."""
    upload = Upload(safe_name(name), path, kept)
    visitor.uploads[upload.id] = upload
    begin(visitor, upload, "reading", "inspect", {"path": str(path), "name": upload.name})
    return upload


def bring_example(visitor: Visitor, data_directory: Path) -> None:
    """Take in the example that comes with penviz, and check it on the test images that do."""
    upload = bring(visitor, EXAMPLE.name, EXAMPLE)
    upload.checks_itself = True
    upload.fields = {"dataset": EXAMPLE_IMAGES, "name": "example", "targets": "hard"}
    upload.choices = {
        "name": "example",
        "class_names": "",
        "dataset": EXAMPLE_IMAGES,
        "data_dir": str(data_directory),
        "targets": "hard",
        "label_smoothing": 0.0,
        "expected": None,
    }


def being_made(visitor: Visitor) -> set[Path]:
    """Directories that steps under way write for the first time."""
    return {u.out for u in visitor.uploads.values() if u.busy and u.run is None and u.out is not None}


def poll(visitor: Visitor) -> bool:
    """Take the results of finished steps; returns whether anything changed."""
    changed = False
    for upload in list(visitor.uploads.values()):
        if upload.job is not None and upload.job.done:
            changed = True
            job, upload.job = upload.job, None
            try:
                _TAKE[upload.stage](visitor, upload, job.result())
            except SandboxError as error:
                _fail(upload, str(error))
                upload.advice = error.advice
            except (KeyError, TypeError, ValueError, AttributeError):  # a child may answer anything
                _fail(upload, "The process that read this sent an answer that makes no sense.")
    return changed


def _fail(upload: Upload, sentence: str) -> None:
    """Let the upload stand where it stood before the step that failed, and say why."""
    upload.job = None
    if upload.run is not None:
        upload.stage = "drawn"
    elif upload.stage == "reading":
        upload.stage = "refused"
    else:
        upload.stage = "checked" if upload.stage == "drawing" and upload.check else "ready"
        _part(upload)
    upload.error = sentence


def _part(upload: Upload) -> None:
    """Give the files of other splits back to be chosen again: there is no run of them."""
    for partner in upload.partners:
        partner.stage = "ready"
    upload.partners = []


def _take_report(visitor: Visitor, upload: Upload, result: dict[str, Any]) -> None:
    upload.report = FileReport.from_json(result)
    upload.stage = "ready"
    if upload.report.refusal:
        upload.stage, upload.error, upload.advice = "refused", upload.report.refusal, upload.report.advice
        _drop_copy(visitor, upload)
    elif upload.report.kind == IMAGES:
        out = visitor.workspace.directory / "folders" / upload.id
        begin(visitor, upload, "drawing", "folder", {"path": str(upload.path), "out": str(out)})
    elif upload.report.kind == RUN:
        out = _place(visitor, upload)
        begin(visitor, upload, "drawing", "run", {"path": str(upload.path), "out": str(out)})
    elif upload.report.kind in OF_WEIGHTS and not upload.report.holds_activations:
        begin(visitor, upload, "matching", "match", _file(upload))


def _take_candidates(visitor: Visitor, upload: Upload, result: dict[str, Any]) -> None:
    upload.candidates, upload.stage = result["candidates"], "ready"
    if upload.checks_itself and upload.candidates:
        start_check(visitor, upload, {"model": upload.candidates[0]["name"]})


def _take_check(visitor: Visitor, upload: Upload, result: dict[str, Any]) -> None:
    upload.check, upload.stage = result, "checked"


def _take_drawn(visitor: Visitor, upload: Upload, result: dict[str, Any]) -> None:
    upload.stage = "drawn"
    if upload.report is not None and upload.report.kind == IMAGES and upload.out is not None:
        visitor.folders[upload.id] = upload.out
        upload.check = result
        _drop_copy(visitor, upload)
        return
    upload.run = upload.out
    upload.quick = bool(result.get("quick_look"))
    upload.seconds_all = result.get("seconds_all")


_TAKE: dict[str, Callable[[Visitor, Upload, dict[str, Any]], None]] = {
    "reading": _take_report,
    "matching": _take_candidates,
    "checking": _take_check,
    "drawing": _take_drawn,
}


def start_check(visitor: Visitor, upload: Upload, choices: Choices) -> None:
    """Run 512 labelled images through each plausible input and variant of the chosen network."""
    upload.choices |= choices
    upload.check = {}
    upload.checks += 1
    upload.fields.pop("row", None)  # this and the next are of the table that this check replaces
    upload.fields.pop("triple", None)
    arguments = _source(upload) | {"expected": upload.choices.get("expected")}
    begin(visitor, upload, "checking", "check", arguments)


def start_drawing(visitor: Visitor, upload: Upload, row: dict[str, Any], classes: list[str] | None) -> None:
    """Extract the activations: of three classes (a quick look), or with None of all.

    Args:
        visitor: whose; upload: a checked one; row: the line of the check's table to believe.
        classes: names of three classes, or None.
    """
    upload.choices["row"] = row
    keys = ("targets", "label_smoothing", "expected")
    arguments = _source(upload) | {key: upload.choices.get(key) for key in keys}
    arguments |= {
        "preprocessing": row["preprocessing"],
        "variant": row["variant"],
        "judged": upload.check["judged"] if row == upload.check["rows"][0] else None,
        "input": upload.check.get("input"),
        "warnings": upload.check["sentences"],
        "undecided": upload.check.get("undecided", "") if row == upload.check["rows"][0] else "",
        "classes": classes,
        "per_class": QUICK_PER_CLASS if classes else PER_CLASS,
        "out": str(_place(visitor, upload)),
    }
    begin(visitor, upload, "drawing", "adopt", arguments)


def start_arrays(visitor: Visitor, uploads: dict[str, Upload], name: str, choices: Choices) -> None:
    """Make a run of files of activations: split -> file; the first of them carries the run."""
    first, *rest = uploads.values()
    first.choices |= choices
    arguments = {
        **choices,
        "files": {split: str(upload.path) for split, upload in uploads.items()},
        "out": str(_place(visitor, first, name)),
    }
    first.partners = rest
    for upload in rest:
        upload.stage = "drawn"
    begin(visitor, first, "drawing", "activations", arguments)


def _source(upload: Upload) -> dict[str, Any]:
    assert upload.report is not None
    return _file(upload) | {
        "model": upload.choices["model"],
        "dataset": upload.choices["dataset"],
        "data_dir": upload.choices["data_dir"],
        "class_names": upload.choices["class_names"],
    }


def _file(upload: Upload) -> dict[str, Any]:
    return {"path": str(upload.path), "name": upload.name}


def _place(visitor: Visitor, upload: Upload, name: str | None = None) -> Path:
    """A directory for the run, named by the visitor's words as far as they make a file name."""
    if upload.run is not None:
        return upload.run
    wanted = name or upload.choices.get("name") or Path(upload.name).stem
    base = "".join(c if c.isalnum() or c in "-_." else "-" for c in wanted).strip("-.")[:60] or "run"
    taken = {path.name for path in (*visitor.runs_directory.iterdir(), *being_made(visitor))}
    return visitor.runs_directory / next(
        n for n in (base, *(f"{base}-{i}" for i in range(2, len(taken) + 3))) if n not in taken
    )


def cancel(upload: Upload) -> None:
    """Stop the step under way; the upload stands where it stood before."""
    if upload.job is not None:
        upload.job.cancel()
        _fail(upload, "Cancelled.")


def remove(visitor: Visitor, upload: Upload) -> None:
    """Forget an upload, its file, and the run drawn from it."""
    if upload.job is not None:
        upload.job.cancel()
        upload.job.wait(5)
    visitor.uploads.pop(upload.id, None)
    _part(upload)
    _drop_copy(visitor, upload)
    if upload.run is not None:
        shutil.rmtree(upload.run, ignore_errors=True)
    folder = visitor.folders.pop(upload.id, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _drop_copy(visitor: Visitor, upload: Upload) -> None:
    if upload.kept is not None:
        visitor.workspace.forget(upload.kept)
