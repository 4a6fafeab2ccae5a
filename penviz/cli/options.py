"""Options that several verbs share. What is heavy is imported inside a function."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, get_type_hints

import typer

from penviz.exit_codes import n_ranks, speaks
from penviz.store.run_config import RunConfig, RunError

if TYPE_CHECKING:
    from penviz.training.data_set import DataSet

DataDir = Annotated[
    Path,
    typer.Option(
        help="Directory of the data sets: <name>.npz, or torchvision's archive, downloaded on first use."
    ),
]
Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="Threads of torch; its own choice if not given.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]
ProgressKind = Annotated[str, typer.Option(help="bar, json (one line of JSON per message) or none.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the saved state in --out.")]

Compiled = Annotated[
    bool,
    typer.Option("--compile", help="Compile the steps with torch.compile, which takes a minute at first."),
]

# Which images.
HoldOut = Annotated[int, typer.Option(help="Validation examples taken from the training part.")]
ImageSize = Annotated[
    int, typer.Option(min=0, help="Side to which images of a directory are resized; 0 for the usual.")
]
Where = Annotated[
    str,
    typer.Option(
        "--dataset", help="The data, if the run was not trained by penviz and names them differently."
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the code of your own that builds a network (file.py:Name).")
]
PerClass = Annotated[int, typer.Option(min=0, help="Training examples per class; 0 for all.")]
Thumbnails = Annotated[bool, typer.Option(help="Write small images for the app.")]


class NetworkSettings(TypedDict):
    """How a network is trained; None is its own setting."""

    epochs: Annotated[int | None, typer.Option(help="Passes over the training split.")]
    batch_size: Annotated[int | None, typer.Option(help="Examples per step.")]
    lr: Annotated[float | None, typer.Option(help="Highest learning rate of the schedule.")]
    momentum: Annotated[float | None, typer.Option(help="Momentum of SGD.")]
    weight_decay: Annotated[float | None, typer.Option(help="L2 factor on weights.")]
    loss_factor: Annotated[float | None, typer.Option(help="Factor of the loss.")]
    clip_norm: Annotated[float | None, typer.Option(help="Norm to clip the gradient to; 0 for none.")]
    schedule: Annotated[str | None, typer.Option(help="one-cycle, steps or constant.")]
    milestones: Annotated[
        list[float] | None,
        typer.Option(help="With steps: share of the run at which lr drops to a tenth; may be repeated."),
    ]
    crop: Annotated[int | None, typer.Option(help="Side of the random crop, pixels; 0 for the whole image.")]
    pad: Annotated[int | None, typer.Option(help="Zero padding before the crop, pixels.")]
    flip: Annotated[bool | None, typer.Option(help="Mirror half of the training images.")]
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16 (autocast).")]


def with_network_settings(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of `NetworkSettings`, before its --seed; it takes them as `**settings`."""
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in get_type_hints(NetworkSettings, include_extras=True).items()
    ]
    own = [*signature(verb, eval_str=True).parameters.values()][:-1]
    at = [p.name for p in own].index("seed")
    verb.__signature__ = Signature([*own[:at], *added, *own[at:]])  # type: ignore[attr-defined]
    return verb


def not_options(
    context: typer.Context, parameter: typer.CallbackParam, words: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """The words of an option that takes several.

    Raises:
        RunError: one of them is an option: it came where a word was left out.
    """
    known = {name for p in context.command.params for name in (*p.opts, *p.secondary_opts)}
    if taken := [word for word in words or () if word in known]:
        names, n = parameter.opts[0], len(words or ())
        raise RunError(f"{names} takes {n} names with spaces between, and {taken[0]} stands in place of one.")
    return words


def data_of(config: RunConfig, data_dir: Path, dataset: str | None = None) -> DataSet:
    """The data that a run was trained on, split as then; `dataset` is where they are now, if they moved.

    Raises:
        RunError: as `training.data.load`.
    """
    from penviz.training import data

    return data.load(
        dataset or config.dataset,
        seed=config.held_out_seed,
        n_hold_out=config.hold_out,
        data_dir=data_dir,
        image_size=config.image_size,
    )


def set_threads(threads: int | None) -> None:
    """Torch's threads, where a number was given."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def check_progress(kind: str) -> str:
    """The kind that this process shows: none where another rank does; RunError for an unknown one."""
    if kind not in ("bar", "json", "none"):
        raise RunError("--progress must be bar, json or none.")
    return kind if speaks() else "none"


def check_resumed(out: Path, resume: bool) -> None:
    """RunError where a work is to be resumed that was never begun: a directory that is empty or mistyped.

    Several ranks may begin with --resume, because torchrun starts a lost rank again with the same command.
    """
    if resume and n_ranks() == 1 and not (out.is_dir() and any(out.iterdir())):
        raise RunError(f"There is nothing to resume in {out}: check the path, or leave out --resume.")
