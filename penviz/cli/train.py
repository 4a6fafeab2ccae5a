"""`penviz train`: a network on hard or soft targets."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Unpack

import typer

from penviz.cli import options
from penviz.cli.options import check_progress, check_resumed, not_options, set_threads
from penviz.exit_codes import say, say_finished
from penviz.store.run_config import TARGETS, RunConfig, RunError

WITHOUT_LABELS = ("distilled", "unknown")
"""Kinds of targets that do not follow from the labels, so that they are not made here."""

TRAINED = tuple(kind for kind in TARGETS if kind not in WITHOUT_LABELS)
"""Those that are."""


@options.with_network_settings
def train(
    dataset: Annotated[
        str,
        typer.Argument(
            help="cifar10, cifar100, mnist, fashion_mnist, svhn, stl10, emnist-balanced, ... (the labelled "
            "image sets of torchvision), digits, pets, pets-fastai, a directory with train/ and "
            "validation/, or an .npz file."
        ),
    ],
    model: Annotated[str, typer.Argument(help="A network: see penviz models; or torchvision:NAME.")],
    *,
    out: Annotated[Path, typer.Option(help="Directory of the run.")],
    label_smoothing: Annotated[
        float | None, typer.Option(help="alpha in [0, 1); 0 for hard targets.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help=(
                f"One of {', '.join(TRAINED)}. If not given: uniform (over all classes) where alpha is "
                "above 0, else hard."
            )
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            help=(
                "u(k) of --targets prior: one number per class with commas between; class frequencies "
                "if not given."
            )
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, weights, order and augmentation.")] = 0,
    hold_out: options.HoldOut = 0,
    image_size: options.ImageSize = 0,
    dropout: Annotated[float, typer.Option(help="Dropout probability on the input of the head.")] = 0.0,
    data_share: Annotated[float, typer.Option(help="Share of the training split that is used.")] = 1.0,
    label_noise: Annotated[
        float, typer.Option(help="Probability with which a training label is replaced by another class.")
    ] = 0.0,
    stop_after: Annotated[
        int, typer.Option(help="End the run after this many epochs, cutting the schedule off; 0 for never.")
    ] = 0,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start the body from torchvision's first ImageNet weights.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Start the body from this file of weights instead.")
    ] = None,
    frozen: Annotated[
        bool | None, typer.Option(help="Do not train a pretrained body, except its batch norms.")
    ] = None,
    data_dir: options.DataDir = Path("data"),
    device: options.Device = "auto",
    threads: options.Threads = None,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs between evaluations.")] = 1,
    save_every: Annotated[float, typer.Option(help="Seconds between saved states within an epoch.")] = 120.0,
    snapshots: Annotated[
        int, typer.Option(help="Number of epochs whose features are kept, dense at the start; 0 for none.")
    ] = 0,
    snapshots_per_class: Annotated[
        int, typer.Option(help="Examples per class and split in each snapshot.")
    ] = 100,
    snapshots_spacing: Annotated[
        str, typer.Option(help="quadratic, or log: equal steps of the logarithm of the epoch.")
    ] = "quadratic",
    erasure: Annotated[
        tuple[str, str] | None,
        typer.Option(
            callback=not_options,
            help="Two classes: record at every epoch what is left about the non-target classes.",
        ),
    ] = None,
    accumulate: Annotated[
        int,
        typer.Option(
            min=1, help="Parts that a batch is split into, to save memory; one step after all of them."
        ),
    ] = 1,
    compiled: options.Compiled = False,
    resume: options.Resume = False,
    progress: options.ProgressKind = "bar",
    **settings: Unpack[options.NetworkSettings],
) -> None:
    """Train a network on hard or label-smoothed targets."""
    progress = check_progress(progress)
    check_targets(targets, label_smoothing, prior)
    used = out.is_dir() and any(out.iterdir())
    if used and not resume:  # said before a minute is spent on reading the data
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    check_resumed(out, resume)
    from penviz.cli import terminal
    from penviz.training import data, defaults, models
    from penviz.training import erasure as erasing
    from penviz.training import progress as progressing
    from penviz.training import train as training
    from penviz.training.ranks import Ranks
    from penviz.training.train_options import TrainOptions

    model = defaults.network_name(dataset, model)
    models.architecture(model)
    image_size = image_size or data.usual_size(dataset)
    chosen: dict[str, Any] = {
        "prior": prior,
        **settings,
        "seed": seed,
        "hold_out": hold_out,
        "image_size": image_size,
        "dropout": dropout,
        "data_share": data_share,
        "label_noise": label_noise,
        "stop_after": stop_after,
        "frozen": frozen,
    }
    RunConfig(dataset, model, seed=seed, hold_out=hold_out, image_size=image_size)
    set_threads(threads)
    ranks = Ranks.of_torchrun()
    with ranks.joined(device):
        with ranks.one_first(pretrained or dataset in data.BUILT_IN):
            chosen = config_fields(model, chosen, pretrained, weights)
            loaded = data.load(
                dataset, seed=seed, n_hold_out=hold_out, data_dir=data_dir, image_size=image_size
            )
        shape = loaded.image_shape
        config = defaults.default_config(dataset, model, shape, label_smoothing, targets, **chosen)
        try:
            with progressing.stop_on_signal() as stopped, terminal.TrainingProgress(progress) as report:
                training.train(
                    config,
                    loaded,
                    out,
                    TrainOptions(
                        resume,
                        device,
                        save_every,
                        validate_every,
                        snapshots,
                        snapshots_per_class,
                        snapshots_spacing,
                        None if erasure is None else erasing.class_pair(loaded.class_names, erasure),
                        shlex.join(["penviz", *sys.argv[1:]]),
                        accumulate,
                        compiled,
                        report,
                        say,
                        stopped,
                    ),
                    ranks=ranks,
                )
        except progressing.Stopped as stop:
            say(str(stop))
            raise typer.Exit(130) from None
        if ranks.first:
            say_finished(out)


def config_fields(
    model: str, chosen: dict[str, Any], pretrained: bool, weights: Path | None
) -> dict[str, Any]:
    """Fields of a RunConfig from options as they are typed; the weights to start from are looked for.

    Raises:
        RunError: a prior of words, or weights that are not there.
    """
    from penviz.training import pretrained as starting

    milestones = chosen["milestones"]
    fields = chosen | {
        "prior": _prior(chosen["prior"]),
        "milestones": tuple(milestones) if milestones else None,
    }
    if pretrained or weights:
        start = starting.find(model, str(weights or starting.OFFICIAL))
        fields |= {"pretrained": start.name, "pretrained_sha256": start.sha256}
    return fields


def check_targets(targets: str | None, label_smoothing: float | None, prior: str | None) -> None:
    """RunError for options that do not fit together, before the data are read."""
    if targets in WITHOUT_LABELS:
        raise RunError(
            f"penviz train makes no {targets} targets: choose {', '.join(TRAINED[:-1])} or {TRAINED[-1]}."
        )
    if targets is not None and targets not in TRAINED:
        raise RunError(f"--targets must be one of {', '.join(TRAINED)}.")
    if targets not in (None, "hard") and not label_smoothing:
        raise RunError(f"--targets {targets} needs a --label-smoothing above 0.")
    if targets == "hard" and label_smoothing:
        raise RunError("--targets hard has no label smoothing: leave out one of the two.")
    if prior is not None and targets != "prior":
        raise RunError("--prior goes with --targets prior only.")


def _prior(text: str | None) -> tuple[float, ...] | None:
    """The numbers of --prior; RunError for what is not a list of numbers."""
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise RunError("--prior must be numbers with commas between, such as 0.5,0.3,0.2.") from None
