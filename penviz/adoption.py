"""`penviz extract FILE`: the steps from a foreign file to a run, each said as it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penviz import InputError
from penviz.foreign.inspection import inspect_file
from penviz.foreign.report import FileReport, Refused
from penviz.named_rows import rows_named
from penviz.runs import RunError

if TYPE_CHECKING:
    from torch import nn

    from penviz.learn.data import DataSet
    from penviz.load.accuracy import Check, Row
    from penviz.load.preprocessing import Preprocessing
    from penviz.load.variants import Variant

SHOWN = 12
"""Rows of the table of set-ups that are printed."""


@dataclass(frozen=True)
class Request:
    """What the command line asked for; "" and None where it left the choice.

    Attributes:
        model, dataset, out, data_dir, image_size, hold_out: as the options.
        class_names: "cifar10", "cifar100", "imagenet" or a text file.
        preprocessing: a row of the table in words, or a JSON file; body: likewise of the network's body.
        expected: accuracy in [0, 1]; label_smoothing: alpha the checkpoint was trained with.
        classes: names or indices of a quick look; per_class, splits: as of `penviz extract`.
        trust: pickles may run code; yes: take the best row without a word.
    """

    model: str = ""
    dataset: str = ""
    out: Path | None = None
    data_dir: Path = Path("data")
    image_size: int = 0
    hold_out: int = 0
    class_names: str = ""
    preprocessing: str = ""
    body: str = ""
    expected: float | None = None
    label_smoothing: float | None = None
    classes: tuple[str, ...] = ()
    per_class: int = 1000
    splits: tuple[str, ...] = ()
    thumbnail_quality: int = 35
    trust: bool = False
    yes: bool = False

    @property
    def targets(self) -> str:
        """ "unknown" where no label smoothing was stated."""
        if self.label_smoothing is None:
            return "unknown"
        return "uniform" if self.label_smoothing else "hard"


def is_foreign(path: Path) -> bool:
    """Whether a path is a file, or a directory of weights, rather than a run."""
    return path.is_file() or (
        path.is_dir() and not (path / "run.json").exists() and any(path.glob("*.safetensors*"))
    )


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
    if request.out is None:
        raise RunError("Name the directory of the new run with --out.")
    reports = [inspect_file(path) for path in paths]
    for report in reports:
        if report.refusal and not request.trust:
            raise Refused(f"{report.name}: {report.refusal} {report.advice}".strip(), report.advice)
        for note in report.notes:
            say(note)
    if all(report.holds_activations for report in reports):
        return _arrays(paths, request)
    if len(paths) > 1:
        raise RunError("Give one checkpoint at a time.")
    return _checkpoint(paths[0], reports[0], request, say, progress)


def _arrays(paths: Sequence[Path], request: Request) -> Path:
    from penviz.load.arrays import adopt_arrays
    from penviz.load.class_names import read_class_names

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
    from penviz.load import adopt

    if not request.dataset:
        raise RunError("Name the data with --dataset: a built-in name, a directory, or an .npz file.")
    assert request.out is not None
    if request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir())):
        raise RunError(f"{request.out} is not empty: choose another --out.")
    if report.not_finite:
        raise RunError(f"{report.name} holds NaN or infinity in {', '.join(report.not_finite[:3])}.")
    model, network = _network(path, report, request, say)
    dataset = _data(model, network, request, adopt.stated_size(report, model))
    checked, check = _setup(model, network, dataset, request, path, report, say)
    choices = adopt.Choices(
        model,
        checked.preprocessing,
        checked.variant,
        request.targets,
        request.label_smoothing,
        request.expected,
    )
    out = adopt.adopt(
        network,
        choices,
        dataset,
        request.out,
        report=report,
        checked=checked,
        warnings=check.sentences if check else (),
        undecided=check.undecided_sentence if check else "",
        splits=request.splits or tuple(s for s in ("train", "validation") if s in dataset.splits),
        classes=_classes(request.classes, dataset.class_names),
        per_class=request.per_class,
        thumbnail_quality=request.thumbnail_quality,
        progress=progress,
    )
    head = json.loads((out / "run.json").read_text(encoding="utf-8"))["adopted"]["head"]
    if head["kind"] == "none":
        say(head["sentence"])
    else:
        deviation = f"{head['deviation']:.1g}"
        say(f"Head: {head['module']} ({head['kind']}), proved: W h + b is off by {deviation} of the logits.")
    return out


def _network(
    path: Path, report: FileReport, request: Request, say: Callable[[str], None]
) -> tuple[str, nn.Module]:
    """The architecture asked for, or the one that alone fits every key; with its weights."""
    from penviz.load import adopt, architectures
    from penviz.load.class_names import read_class_names

    n_classes = report.n_classes
    if n_classes is None and request.class_names:
        n_classes = len(read_class_names(request.class_names))

    def load(model: str) -> nn.Module:
        return adopt.open_network(path, report, model, n_classes=n_classes, local=True, trust=request.trust)

    if request.model:
        return request.model, load(request.model)
    found = architectures.candidates(report.tensors, n_classes)
    complete = [candidate for candidate in found if candidate.complete]
    if not complete:
        near = "; ".join(f"{c.name}: {c.evidence}" for c in found[:3])
        raise RunError(
            f"No architecture fits {report.name}: name it with --model ({near or 'none is near'})."
        )
    first = load(complete[0].name)
    others = [c.name for c in complete[1:] if not _same_function(first, complete[0].name, load(c.name))]
    if others:
        raise RunError(
            f"Several architectures fit all keys of {report.name} and compute different things: "
            f"choose one with --model: {complete[0].name}, {', '.join(others)}."
        )
    say(f"Took {complete[0].name}: {complete[0].evidence}. Another: --model NAME.")
    return complete[0].name, first


def _same_function(first: nn.Module, name: str, other: nn.Module) -> bool:
    """Whether two networks with the same weights give the same scores."""
    import torch

    from penviz.load import architectures, outputs

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, *architectures.input_shape(name, first), generator=generator)
    with torch.no_grad():
        try:
            a, b = outputs.run(first, images), outputs.run(other, images)
        except RunError:
            return False
    return a.shape == b.shape and bool((a - b).norm() <= 1e-4 * (a - a.mean(1, keepdim=True)).norm())


def _data(model: str, network: nn.Module, request: Request, stated_size: int) -> DataSet:
    from penviz.learn import data
    from penviz.load import architectures
    from penviz.load.class_names import in_order, read_class_names

    side = architectures.input_shape(model, network)[-1]
    size = request.image_size or stated_size or (side if side <= 64 else round(side / 0.875))
    loaded = data.load(
        request.dataset, n_hold_out=request.hold_out, data_dir=request.data_dir, image_size=min(size, 1024)
    )
    return in_order(loaded, read_class_names(request.class_names)) if request.class_names else loaded


def _setup(
    model: str,
    network: nn.Module,
    dataset: DataSet,
    request: Request,
    path: Path,
    report: FileReport,
    say: Callable[[str], None],
) -> tuple[Row, Check | None]:
    """The row that was asked for, measured, or the best of all plausible ones, which are printed."""
    from penviz.load import accuracy, label_order, preprocessing, variants

    name = "validation" if "validation" in dataset.splits else next(iter(dataset.splits))
    split = dataset.splits[name]
    rows = accuracy.sample(split.labels)
    images, labels = split.images[rows], split.labels[rows]
    directory = path if path.is_dir() else path.parent
    ways = preprocessing.plausible(
        model,
        network,
        dataset.image_shape,
        len(dataset.class_names),
        directory=directory,
        training=report.training,
    )
    if request.preprocessing:
        ways = [_way(request.preprocessing, ways)]
    accuracy.check_outputs(network, ways[0], images, len(dataset.class_names))
    bodies = variants.plausible(network, ways[0].apply(images[:2]))
    if request.body or request.preprocessing:
        bodies = [_body(request.body or "as built", bodies)]
    check = None
    if len(ways) > 1:
        say(f"Trying {len(ways)} preprocessings and {len(bodies)} bodies on {len(rows)} {name} images ...")
        check = accuracy.check(network, ways, bodies, images, labels)
        for line in table_lines(check):
            say(line)
        row = check.best
        if not request.yes:
            say(
                f"Took the first row. Another: --preprocessing '{row.preprocessing.describe()}' "
                f"--body '{row.variant.describe()}', in the words of the table."
            )
    else:
        row = accuracy.measure_setup(network, ways[0], bodies[0], images, labels)
    say(
        f"penviz measures {100 * row.accuracy:.1f} % on {row.n} {name} images. "
        "Is that the accuracy you know? If not, change the input."
    )
    predictions = accuracy.scores_of(network, row.preprocessing, images, row.variant).argmax(1).numpy()
    sentences = (
        check.sentences if check else label_order.sentences(predictions, labels, len(dataset.class_names))
    )
    warning = accuracy.expectation_warning(row.accuracy, request.expected, row.n)
    for sentence in [*sentences, *([warning] if warning else [])]:
        say(sentence)
    return row, check or accuracy.Check((row,), tuple(sentences), 0, len(dataset.class_names))


def table_lines(check: Check) -> list[str]:
    """The set-ups as lines of text, the one taken first and marked, then by accuracy."""
    shown = check.rows[:SHOWN]
    cells = [(r.preprocessing.describe(), r.variant.describe()) for r in shown]
    widths = [max(len(row[i]) for row in cells) for i in range(2)]
    lines = [f"  {'input':<{widths[0]}}  {'body':<{widths[1]}}  accuracy    NLL  images"]
    for i, (row, (way, body)) in enumerate(zip(shown, cells, strict=True)):
        numbers = f"{100 * row.accuracy:6.1f} %  {row.nll:6.3f}  {row.n:6}"
        lines.append(f"{'*' if i == 0 else ' '} {way:<{widths[0]}}  {body:<{widths[1]}}  {numbers}")
    if len(check.rows) > SHOWN:
        lines.append(f"  and {len(check.rows) - SHOWN} more, each no better than the last")
    if check.untried:
        lines.append(f"  {check.untried} set-ups were not tried: out of time")
    if check.undecided:
        lines.append(f"  {check.undecided_sentence}")
    return lines


def _way(asked: str, ways: Sequence[Preprocessing]) -> Preprocessing:
    from penviz.load.preprocessing import Preprocessing

    for way in ways:
        plain = way.describe().replace("recipe of penviz: ", "")
        if asked.lower() in (way.describe().lower(), way.name.lower(), plain, plain.partition("; ")[2]):
            return way
    try:
        return Preprocessing.from_json(json.loads(Path(asked).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        names = "; ".join(dict.fromkeys(way.name for way in ways))
        raise RunError(f"There is no preprocessing {asked}: use one of {names}, or a JSON file.") from None


def _body(asked: str, bodies: Sequence[Variant]) -> Variant:
    for body in bodies:
        if asked.lower() == body.describe().lower():
            return body
    known = "; ".join(body.describe() for body in bodies)
    raise RunError(f"There is no body {asked}: use one of {known}.")


def _classes(asked: Sequence[str], names: Sequence[str]) -> list[int]:
    found = []
    for name in asked:
        rows = rows_named(name, names)
        if len(rows) != 1:
            raise RunError(
                f"There is no class {name}." if not rows else f"Several classes are called {name}."
            )
        found += rows
    return found
