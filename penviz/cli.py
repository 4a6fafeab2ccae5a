"""The command line: verbs that parse, call and print. What is heavy is imported inside its verb."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz import InputError, __version__, ending
from penviz.ending import say
from penviz.runs import RunConfig, RunError, differences, read_run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="See what training targets do to a classifier's penultimate layer.",
)

DataDir = Annotated[
    Path,
    typer.Option(help="Where data sets lie: <name>.npz, or torchvision's archive, downloaded on first use."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch; its own choice when not given.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]
ProgressKind = Annotated[str, typer.Option(help="bar, json (a line of JSON a message) or none.")]


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _check_progress(kind: str) -> None:
    if kind not in ("bar", "json", "none"):
        raise RunError("--progress must be bar, json or none.")


@app.command()
def train(
    dataset: Annotated[
        str,
        typer.Argument(
            help="cifar10, cifar100, mnist, fashion_mnist, digits, a directory with train/ and validation/, "
            "or an .npz file."
        ),
    ],
    model: Annotated[str, typer.Argument(help="A network: see penviz models.")],
    out: Annotated[Path, typer.Option(help="Directory of the run.")],
    label_smoothing: Annotated[
        float | None, typer.Option(help="alpha in [0, 1); 0 for hard targets.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training split.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate at the top of the schedule.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Momentum of SGD.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="L2 factor on weights.")] = None,
    loss_factor: Annotated[float | None, typer.Option(help="The loss is multiplied by it.")] = None,
    clip_norm: Annotated[float | None, typer.Option(help="Largest norm of the gradient; 0 for any.")] = None,
    schedule: Annotated[str | None, typer.Option(help="one-cycle, steps or constant.")] = None,
    milestones: Annotated[
        list[float] | None, typer.Option(help="Share of the run at which steps divides; may be repeated.")
    ] = None,
    crop: Annotated[
        int | None, typer.Option(help="Side of the random crop, pixels; 0 for the whole image.")
    ] = None,
    pad: Annotated[int | None, typer.Option(help="Zero padding before the crop, pixels.")] = None,
    flip: Annotated[bool | None, typer.Option(help="Mirror half of the training images.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16 (autocast).")] = None,
    seed: Annotated[int, typer.Option(help="Of split, weights, order and augmentation.")] = 0,
    hold_out: Annotated[int, typer.Option(help="Validation examples taken from the training part.")] = 0,
    image_size: Annotated[int, typer.Option(help="Side to which images of a directory are resized.")] = 32,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs between evaluations.")] = 1,
    save_every: Annotated[float, typer.Option(help="Seconds between saved states within an epoch.")] = 120.0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the saved state in --out.")] = False,
    progress: ProgressKind = "bar",
) -> None:
    """Train a network on hard or label-smoothed targets."""
    _check_progress(progress)
    used = out.is_dir() and any(out.iterdir())
    if used and not resume:  # said before a minute is spent on reading the data
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    from penviz import terminal
    from penviz.learn import data, defaults, models
    from penviz.learn import progress as progressing
    from penviz.learn import train as training

    models.architecture(model)
    chosen: dict[str, Any] = {
        "label_smoothing": label_smoothing,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "loss_factor": loss_factor,
        "clip_norm": clip_norm,
        "schedule": schedule,
        "milestones": tuple(milestones) if milestones else None,
        "crop": crop,
        "pad": pad,
        "flip": flip,
        "precision": precision,
        "seed": seed,
        "hold_out": hold_out,
        "image_size": image_size,
    }
    RunConfig(dataset, model, seed=seed, hold_out=hold_out, image_size=image_size)
    _set_threads(threads)
    loaded = data.load(dataset, seed=seed, n_hold_out=hold_out, data_dir=data_dir, image_size=image_size)
    config = defaults.default_config(dataset, model, loaded.image_shape, **chosen)
    try:
        with progressing.stop_on_signal() as stopped, terminal.TrainingProgress(progress) as report:
            training.train(
                config,
                loaded,
                out,
                resume=resume,
                device=device,
                save_every=save_every,
                validate_every=validate_every,
                report=report,
                say=say,
                stopped=stopped,
                command=shlex.join(["penviz", *sys.argv[1:]]),
            )
    except progressing.Stopped as stop:
        say(str(stop))
        raise typer.Exit(130) from None
    run = read_run(out)
    scores = ", ".join(f"{split} {values['accuracy']:.4f}" for split, values in run.metrics.items())
    say(f"{out} is finished: accuracy {scores}. Next: penviz extract {out}")


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A file, an index of shards, or a directory with one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a file is and holds; nothing in it is run. Status 2 if it may not be loaded."""
    from penviz.foreign.inspection import inspect_file
    from penviz.foreign.report_text import refusal_text, report_text

    report = inspect_file(file)
    found: list[Any] = []
    if report.kind in ("torch zip", "safetensors") and not (report.refusal or report.holds_activations):
        from penviz.load.architectures import candidates

        found = candidates(report.tensors, report.n_classes)[:5]
    if as_json:
        networks = [{"name": c.name, "complete": c.complete, "evidence": c.evidence} for c in found]
        print(json.dumps(report.to_json() | {"networks": networks}, indent=1), flush=True)
    else:
        print(report_text(report, [f"{c.name}: {c.evidence}" for c in found]), flush=True)
    if report.refusal:
        raise InputError(refusal_text(report))


@app.command()
def models() -> None:
    """List the networks that penviz can train."""
    from penviz.learn.models import MODELS

    for name, entry in MODELS.items():
        print(f"{name:<17} {entry.about} (d = {entry.width})")


@app.command()
def extract(
    runs: Annotated[
        list[Path], typer.Argument(help="Directories of finished runs, or a checkpoint of your own.")
    ],
    per_class: Annotated[int, typer.Option(min=0, help="Training examples a class; 0 for all.")] = 1000,
    split: Annotated[
        list[str] | None, typer.Option(help="Which splits; train and validation when not given.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Where the data are now, if they moved; of a checkpoint, its data.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Of a checkpoint: directory of the new run.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Of a checkpoint: resnet20, cifar:resnet18, torchvision:resnet50, timm:NAME, hf:DIR, "
            "package.module:factory; the one that alone fits when not given."
        ),
    ] = None,
    classes: Annotated[
        tuple[str, str, str] | None, typer.Option(help="Of a checkpoint: a quick look at these three only.")
    ] = None,
    preprocessing: Annotated[
        str | None, typer.Option(help="Of a checkpoint: a row of the printed table, or a JSON file.")
    ] = None,
    body: Annotated[str | None, typer.Option(help="Of a checkpoint: likewise, 'max pooling', ...")] = None,
    expected_accuracy: Annotated[
        float | None, typer.Option(help="Of a checkpoint: the accuracy you know, in per cent.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Of a checkpoint: alpha of its training, 0 for hard targets.")
    ] = None,
    class_names: Annotated[
        str | None, typer.Option(help="Of a checkpoint: cifar10, cifar100, imagenet or a text file.")
    ] = None,
    image_size: Annotated[
        int, typer.Option(min=0, help="Side to which images of a directory are resized; 0 for the usual.")
    ] = 0,
    hold_out: Annotated[int, typer.Option(help="Validation examples taken from the training part.")] = 0,
    trust: Annotated[
        bool, typer.Option("--trust", help="Unpickle a file of your own, which may run any code.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the best preprocessing without a word.")] = False,
    thumbnails: Annotated[bool, typer.Option(help="Write small images for the app.")] = True,
    thumbnail_quality: Annotated[int, typer.Option(min=1, max=100, help="Of the lossy WebP.")] = 35,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
    progress: ProgressKind = "bar",
) -> None:
    """Write the penultimate activations of a run, or of a checkpoint of your own."""
    _check_progress(progress)
    from penviz import adoption, terminal

    if any(adoption.is_foreign(path) for path in runs):
        request = adoption.Request(
            model=model or "",
            dataset=dataset or "",
            out=out,
            data_dir=data_dir,
            image_size=image_size,
            hold_out=hold_out,
            class_names=class_names or "",
            preprocessing=preprocessing or "",
            body=body or "",
            expected=None if expected_accuracy is None else expected_accuracy / 100,
            label_smoothing=label_smoothing,
            classes=classes or (),
            per_class=per_class,
            splits=tuple(split or ()),
            thumbnail_quality=thumbnail_quality if thumbnails else 0,
            trust=trust,
            yes=yes,
        )
        _set_threads(threads)
        with terminal.ExtractionProgress(progress) as report:
            path = adoption.extract_files(
                runs, request, say=say, progress=lambda done, n, left: report("images", done, n)
            )
        say(f"Wrote {path}. Next: penviz measure {path}")
        return
    found = [read_run(path) for path in runs]
    from penviz.learn import data
    from penviz.learn import extract as extraction

    _set_threads(threads)
    for run in found:
        config = run.config
        loaded = data.load(
            dataset or config.dataset,
            seed=config.seed,
            n_hold_out=config.hold_out,
            data_dir=data_dir,
            image_size=config.image_size,
        )
        with terminal.ExtractionProgress(progress) as report:
            written = extraction.extract(
                run,
                loaded,
                splits=split or ("train", "validation"),
                per_class=per_class,
                thumbnail_quality=thumbnail_quality if thumbnails else 0,
                device=device,
                report=report,
            )
        for path in written:
            say(f"Wrote {path}")


@app.command()
def measure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    classes: Annotated[
        tuple[str, str, str] | None, typer.Option(help="Names or indices; the first three when not given.")
    ] = None,
    bias: Annotated[bool, typer.Option(help="The template holds the bias.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the numbers of one or more runs, and what they say."""
    found = [read_run(path) for path in runs]
    from penviz import run_activations, terminal
    from penviz.measure.finding import build_finding
    from penviz.measure.summary import Summary
    from penviz.measure.table import compare
    from penviz.run_activations import first_classes

    opened, notes = [], []
    for run in found:
        if not run.splits():
            raise RunError(f"{run.directory} has no activations: run penviz extract {run.directory} first.")
        parts = run_activations.load(run)
        notes += run_activations.notes(run, parts)
        for split, activations in parts.items():
            if run.model_sha256 and activations.checkpoint_sha256 != run.model_sha256:
                say(f"{run.name}: the {split} activations are of another checkpoint; extract it again.")
        opened.append(parts)
    names = next(iter(opened[0].values())).class_names
    if len(names) < 3:
        raise RunError(f"A template plane needs three classes: {found[0].name} has {len(names)}.")
    triple = [_class(name, names) for name in classes or ()] or first_classes(opened)
    loaded = [{split: Summary.of(a) for split, a in parts.items()} for parts in opened]
    alphas = [run.config.label_smoothing for run in found]
    table = compare(loaded, triple, bias=bias, label_smoothings=alphas)
    labels = [run.name for run in found]
    finding = build_finding(
        table,
        names=labels,
        label_smoothings=alphas,
        seeds=[run.seed for run in found],
        differences=differences(found),
        runs=loaded,
        adopted=[run.adopted for run in found],
    )
    if as_json:
        print(json.dumps(terminal.table_record(table, labels, finding, alphas, notes), indent=1))
    else:
        print(terminal.table_text(table, labels, finding, notes))


def _class(name: str, names: tuple[str, ...]) -> str | int:
    return int(name) if name.isdigit() and name not in names else name


@app.command()
def figure(
    runs: Annotated[list[Path] | None, typer.Argument(help="Directories of runs with activations.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .pdf, .svg, .png, .html or .tex (TikZ).")] = None,
    recipe: Annotated[Path | None, typer.Option(help="Make the figure of a recipe again.")] = None,
    classes: Annotated[
        tuple[str, str, str] | None, typer.Option(help="Left, right, above; the first three when not given.")
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="'HARD SOFT: beaver dolphin otter'; may be repeated.")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Columns; train and validation.")] = None,
    venue: Annotated[str | None, typer.Option(help="neurips (the default), icml, cvpr, ...")] = None,
    width: Annotated[str | None, typer.Option(help="text, column, or a width such as 5.5in.")] = None,
    layout: Annotated[str | None, typer.Option(help="grid (the default), strip or figure1.")] = None,
    per_class: Annotated[int | None, typer.Option(help="Examples drawn a class; 250.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sample drawn; 0.")] = None,
    scale: Annotated[str | None, typer.Option(help="distance (the default), own or same.")] = None,
    bias: Annotated[bool | None, typer.Option(help="The template holds the bias; it does.")] = None,
    show: Annotated[
        list[str] | None, typer.Option(help="means, templates, boundaries, optimum, shading, errors.")
    ] = None,
    hide: Annotated[list[str] | None, typer.Option(help="The same words; all but templates show.")] = None,
    letters: Annotated[bool | None, typer.Option(help="(a), (b), ... over the panels; they are.")] = None,
    corner: Annotated[list[str] | None, typer.Option(help="Numbers in the corner: rho_d, ...; none.")] = None,
    dpi: Annotated[int | None, typer.Option(help="Of a PNG and of rasterised points; 300.")] = None,
    svg_text: Annotated[str | None, typer.Option(help="text (can be edited) or path.")] = None,
    font: Annotated[
        Path | None, typer.Option(help="A .ttf or .otf in place of the faces that come with matplotlib.")
    ] = None,
    bold_best: Annotated[
        bool | None, typer.Option(help="Best validation accuracy, NLL and ECE bold in the table; not.")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option(help="Of the figures in the bundle; that of --out, else pdf.")
    ] = None,
    save_recipe: Annotated[Path | None, typer.Option(help="Write the recipe here.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A new directory, or a .zip, for all files.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the runs of a recipe lie.")] = Path("."),
) -> None:
    """Draw a figure for a paper, and all that is needed to make it again."""
    choices = {
        "classes": classes,
        "rows": row,
        "splits": split,
        "venue": venue,
        "width": width,
        "layout": layout or ("figure1" if row else None),
        "per_class": per_class,
        "seed": seed,
        "scale": scale,
        "bias": bias,
        "letters": letters,
        "dpi": dpi,
        "text": svg_text,
        "font": font,
        "bold_best": bold_best,
    }
    given = {key: value for key, value in choices.items() if value is not None}
    from penviz import figure_files

    for path in figure_files.make(
        runs or [],
        given,
        marks=(show or [], hide or []),
        corner=corner,
        recipe_path=recipe,
        runs_dir=runs_dir,
        out=out,
        formats=format or [],
        save_recipe=save_recipe,
        bundle=bundle,
        say=say,
    ):
        say(f"Wrote {path}")


@app.command()
def calibrate(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs with activations.")],
    split: Annotated[
        str, typer.Option(help="One half of it is fitted on, the other measured.")
    ] = "validation",
    seed: Annotated[int, typer.Option(min=0, help="Of the two halves.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how far confidence is from accuracy, before and after temperature scaling, and what it says."""
    found = [read_run(path) for path in runs]
    from penviz import calibration_report, run_activations
    from penviz.measure.calibrated import Calibrated
    from penviz.measure.calibration_finding import describe
    from penviz.runs import SPLITS

    if split not in SPLITS:
        raise RunError(f"There is no split {split}: it is one of {', '.join(SPLITS)}.")
    loaded, notes = [], []
    for run in found:
        if split not in run.splits():
            what = f"{run.directory} has no {split} activations"
            raise RunError(f"{what}: run penviz extract {run.directory} first.")
        parts = run_activations.load(run, (split,))
        notes += run_activations.notes(run, parts)
        if parts[split].partial:
            raise RunError(f"{run.name} is a quick look at some classes: calibration needs the full pass.")
        if run.model_sha256 and parts[split].checkpoint_sha256 != run.model_sha256:
            say(f"{run.name}: the {split} activations are of another checkpoint; extract it again.")
        loaded.append(Calibrated.of(parts[split], seed))
    names = [run.name for run in found]
    finding = describe(
        loaded,
        names=names,
        label_smoothings=[run.config.label_smoothing for run in found],
        seeds=[run.seed for run in found],
        differences=differences(found),
        adopted=[run.adopted for run in found],
    )
    if as_json:
        print(json.dumps(calibration_report.record(loaded, names, finding, seed, notes), indent=1))
    else:
        print(calibration_report.text(loaded, names, finding, notes))


@app.command(name="app")
def open_app(
    runs: Annotated[Path | None, typer.Option(help="Directory of runs.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Offer the checkpoints and image folders below this directory.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Where it listens; localhost means this computer only.")
    ] = "localhost",
) -> None:
    """Open the app in the browser."""
    script = Path(__file__).resolve().parent.parent / "app.py"
    if not script.is_file():
        raise RunError("app.py is not beside the package: run penviz app from a checkout of the project.")
    if runs is not None:
        if not runs.is_dir():
            raise RunError(f"There is no directory {runs}.")
        os.environ["PENVIZ_RUNS"] = str(runs.resolve())
    if data is not None:
        if not data.is_dir():
            raise RunError(f"There is no directory {data}.")
        if address not in ("localhost", "127.0.0.1", "::1"):
            raise RunError("--data offers what lies on this disk, so it needs --address localhost.")
        os.environ["PENVIZ_DATA"] = str(data.resolve())
    os.chdir(script.parent)  # .streamlit/config.toml lies there
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.address", address]
    os.execv(sys.executable, command)


def _version(asked: bool) -> None:
    if asked:
        print(f"penviz {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See what training targets do to a classifier's penultimate layer."""


def main() -> None:
    """Run a verb; bad input ends with one sentence on standard error and exit status 2."""
    ending.run(app)
