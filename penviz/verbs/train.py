"""`penviz train`: a network on hard or soft targets."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz.ending import say
from penviz.runs import RunConfig, RunError, read_run
from penviz.verbs.options import DataDir, Device, ProgressKind, Threads, check_progress, set_threads


def train(
    dataset: Annotated[
        str,
        typer.Argument(
            help="cifar10, cifar100, mnist, fashion_mnist, digits, pets, pets-fastai, a directory with "
            "train/ and validation/, or an .npz file."
        ),
    ],
    model: Annotated[str, typer.Argument(help="A network: see penviz models; or torchvision:NAME.")],
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
    image_size: Annotated[
        int, typer.Option(min=0, help="Side to which images of a directory are resized; 0 for the usual.")
    ] = 0,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start the body from torchvision's first ImageNet weights.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Start the body from this file of weights instead.")
    ] = None,
    frozen: Annotated[
        bool | None, typer.Option(help="Keep a pretrained body as it is, but for its batch norms.")
    ] = None,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs between evaluations.")] = 1,
    save_every: Annotated[float, typer.Option(help="Seconds between saved states within an epoch.")] = 120.0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the saved state in --out.")] = False,
    progress: ProgressKind = "bar",
) -> None:
    """Train a network on hard or label-smoothed targets."""
    check_progress(progress)
    used = out.is_dir() and any(out.iterdir())
    if used and not resume:  # said before a minute is spent on reading the data
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    from penviz import terminal
    from penviz.learn import data, defaults, models
    from penviz.learn import pretrained as starting
    from penviz.learn import progress as progressing
    from penviz.learn import train as training

    model = defaults.network_name(dataset, model)
    models.architecture(model)
    image_size = image_size or data.usual_size(dataset)
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
        "frozen": frozen,
    }
    RunConfig(dataset, model, seed=seed, hold_out=hold_out, image_size=image_size)
    set_threads(threads)
    if pretrained or weights:
        start = starting.find(model, str(weights or starting.OFFICIAL))
        chosen |= {"pretrained": start.name, "pretrained_sha256": start.sha256}
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
