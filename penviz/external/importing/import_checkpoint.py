"""`penviz extract FILE`: the steps from a foreign file to a run, each said as it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from penviz.did_you_mean import did_you_mean
from penviz.external.importing.import_options import Request
from penviz.external.reader.inspection import PICKLED, inspect_file
from penviz.external.reader.report import FileReport, Refused
from penviz.external.reader.report_text import code_lines
from penviz.store.class_lookup import rows_named
from penviz.store.run_config import RunError

PICKLES = ("torch zip", "legacy torch file", "legacy pickle", "TorchScript")
"""Kinds that --trust executes where they are refused."""

HOLD_WEIGHTS = ("safetensors", *PICKLES)
NO_CHECKPOINT = {
    "npz": "its arrays are not named features and labels, and weights are read from torch and safetensors",
    "npy": "it holds one array",
    "zip of images": "it holds images: unpack it and give the directory as --dataset",
    "penviz run": "it is a run: unpack it, and give its directory to penviz measure or figure",
}
"""What a kind that is no checkpoint is instead."""


def is_foreign(path: Path) -> bool:
    """Whether a path is a file, or a directory of weights, rather than a run."""
    if not path.is_dir():
        return path.is_file()
    names = [file.name for file in path.iterdir()]
    return "run.json" not in names and any(".safetensors" in n or n.endswith(PICKLED) for n in names)


def extract_files(
    paths: Sequence[Path],
    request: Request,
    *,
    say: Callable[[str], None],
    progress: Callable[[int, int, float], None],
) -> Path:
    """Adopt one checkpoint, or one file of activations a split, as the run `request.out`.

    Raises:
        InputError: anything that cannot be used; one sentence, and a diff for weights that do not fit.
    """
    reports = [inspect_file(path) for path in paths]
    for report in reports:
        if report.refusal and not (request.trust and report.kind in PICKLES):
            sentence = f"{report.name}: {report.refusal} {report.advice}".strip()
            raise Refused("\n".join([sentence, *code_lines(report)]), report.advice)
    if request.out is None:
        raise RunError("Name the directory of the new run with --out.")
    for report in reports:
        for note in report.notes:
            say(note)
    if all(report.holds_activations for report in reports):
        return _arrays(paths, request)
    if len(paths) > 1:
        raise RunError("Give one checkpoint at a time.")
    report = reports[0]
    if report.kind not in HOLD_WEIGHTS:
        raise RunError(f"{report.name} is no checkpoint: {NO_CHECKPOINT[report.kind]}.")
    return _checkpoint(paths[0], report, request, say, progress)


def _arrays(paths: Sequence[Path], request: Request) -> Path:
    from penviz.external.importing.arrays import adopt_arrays
    from penviz.training.class_names import read_class_names

    assert request.out is not None
    if len(request.splits) != len(paths) or len(set(request.splits)) != len(paths):
        raise RunError(
            "Say which split each file of activations holds, in their order: "
            "penviz extract A.npz B.npz --split train --split validation --out DIR"
        )
    return adopt_arrays(
        dict(zip(request.splits, paths, strict=True)),
        request.out,
        class_names=read_class_names(request.class_names) if request.class_names else (),
        dataset=request.dataset,
        model=request.model or "activations",
        targets=request.targets,
        label_smoothing=request.label_smoothing,
    )


def _checkpoint(
    path: Path,
    report: FileReport,
    request: Request,
    say: Callable[[str], None],
    progress: Callable[[int, int, float], None],
) -> Path:
    from penviz.external.importing import adopt, set_up
    from penviz.external.importing.choices import Choices
    from penviz.external.importing.new_directory import check_new
    from penviz.external.networks.weights import unpickle

    if not request.dataset:
        raise RunError("Name the data with --dataset: a built-in name, a directory, or an .npz file.")
    assert request.out is not None
    check_new(request.out)
    weights = None
    if report.refusal:
        say(f"{report.name} is unpickled, because of --trust: it may run any code.")
        weights, report = unpickle(path, report)
    if report.not_finite:
        raise RunError(f"{report.name} holds NaN or infinity in {', '.join(report.not_finite[:3])}.")
    model, network = set_up.find_network(path, report, weights, request, say)
    dataset = set_up.load_data(model, network, request, report)
    splits = tuple(dict.fromkeys(request.splits)) or dataset.shown
    adopt.check_splits(dataset, splits)
    classes = _classes(request.classes, dataset.class_names)
    check, proof, judged = set_up.find_set_up(model, network, dataset, request, path, report, say)
    choices = Choices(
        model,
        check.best.preprocessing,
        check.best.variant,
        request.targets,
        request.label_smoothing,
        judged.stated,
    )
    return adopt.adopt(
        network,
        choices,
        dataset,
        request.out,
        adopt.CheckedFile(
            report, judged, check.sentences, " ".join(check.doubts), proof.to_json() if proof else None
        ),
        adopt.AdoptOptions(
            splits, request.per_class, request.thumbnail_quality, request.device, classes=classes
        ),
        progress=progress,
    )


def head_sentence(run: Path) -> str:
    """How the head of an adopted run was found; "" for activations that came without a network."""
    head = json.loads((run / "run.json").read_text(encoding="utf-8"))["adopted"]["head"]
    if "module" not in head:
        return ""
    if head["kind"] == "none":
        return str(head["sentence"])
    deviation = f"{head['deviation']:.1g}"
    return f"Head: {head['module']} ({head['kind']}), proved: W h + b is off by {deviation} of the logits."


def _classes(asked: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    found: list[int] = []
    for name in asked:
        rows = rows_named(name, names)
        if len(rows) != 1:
            raise RunError(
                f"There is no class {name}{did_you_mean(name, names)}."
                if not rows
                else f"Several classes are called {name}."
            )
        found += rows
    if len(set(found)) < len(found):
        raise RunError(f"Name different classes: {', '.join(asked)}.")
    return tuple(found)
