"""`penviz sweep`: a run for each label smoothing, seed and network, trained and extracted."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz.cli.options import PerClass, Thumbnails, check_progress, set_threads
from penviz.cli.train import check_targets, config_fields, train
from penviz.exit_codes import say
from penviz.store.run_config import RunConfig, RunError

OWN = ("model", "label_smoothing", "seed", "out", "resume")
"""Options of `penviz train` that a sweep has in another form, or does not need."""


def _with_training_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb all other options of `penviz train`, with their defaults and help, as `**options`."""
    own = [
        p
        for p in inspect.signature(verb, eval_str=True).parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    known = {p.name for p in own} | set(OWN)
    others = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(train, eval_str=True).parameters.values()
        if p.name not in known
    ]
    verb.__signature__ = inspect.Signature([*own, *others])  # type: ignore[attr-defined]
    return verb


@_with_training_options
def sweep(
    dataset: Annotated[str, typer.Argument(help="As in penviz train.")],
    network: Annotated[str, typer.Argument(help="A network: see penviz models.", metavar="MODEL")],
    *,
    label_smoothing: Annotated[
        list[float], typer.Option(help="alpha in [0, 1); 0 for hard targets; repeat it.")
    ] = [0.0, 0.1],  # noqa: B006
    seed: Annotated[list[int], typer.Option(help="Repeat it: three give an interval.")] = [0, 1, 2],  # noqa: B006
    model: Annotated[list[str] | None, typer.Option(help="A further network; may be repeated.")] = None,
    out: Annotated[Path, typer.Option(help="Directory of the runs, each in its own.")],
    per_class: PerClass = 1000,
    thumbnails: Thumbnails = True,
    **options: Any,
) -> None:
    """Train and extract a run for each label smoothing, seed and network; run it again to continue."""
    kind = options.pop("progress")
    check_progress(kind)
    from penviz.cli import terminal
    from penviz.training import data, defaults, models
    from penviz.training import erasure as erasing
    from penviz.training import progress as progressing
    from penviz.training import sweep as sweeping
    from penviz.training.data_set import DataSet
    from penviz.training.split_files import ExtractOptions
    from penviz.training.train_options import TrainOptions

    networks = [defaults.network_name(dataset, name) for name in (network, *(model or []))]
    for name in networks:
        models.architecture(name)
    pretrained, weights = options.pop("pretrained"), options.pop("weights")
    if (pretrained or weights) and len(networks) > 1:
        raise RunError("Pretrained weights are of one network: sweep over one at a time.")
    check_targets(options["targets"], max(label_smoothing), options["prior"])
    fields = {f.name for f in dataclasses.fields(RunConfig)}
    chosen = {key: options.pop(key) for key in list(options) if key in fields}
    chosen["image_size"] = chosen["image_size"] or data.usual_size(dataset)
    pair = options.pop("erasure")
    data_dir, device = options.pop("data_dir"), options.pop("device")
    set_threads(options.pop("threads"))

    def load(seed: int) -> DataSet:
        return data.load(
            dataset,
            seed=seed,
            n_hold_out=chosen["hold_out"],
            data_dir=data_dir,
            image_size=chosen["image_size"],
        )

    for alpha in label_smoothing:  # said before the data are read
        RunConfig(dataset, networks[0], targets="uniform" if alpha else "hard", label_smoothing=alpha)
    for one in seed:
        RunConfig(dataset, networks[0], seed=one, image_size=chosen["image_size"])
    chosen = config_fields(networks[0], chosen, pretrained, weights)
    stored = ExtractOptions(per_class=per_class, thumbnail_quality=35 if thumbnails else 0, device=device)
    held = {seed[0]: load(seed[0])}  # the sweep takes it out, so that no two lie in memory
    shape, names = held[seed[0]].image_shape, held[seed[0]].class_names
    members = sweeping.plan(out, dataset, networks, label_smoothing, seed, shape, **chosen)
    try:
        with progressing.stop_on_signal() as stopped, terminal.SweepBar(kind) as report:
            before = sweeping.sweep(
                members,
                lambda wanted: held.pop(wanted, None) or load(wanted),
                TrainOptions(
                    device=device,
                    say=say,
                    stopped=stopped,
                    command=shlex.join(["penviz", *sys.argv[1:]]),
                    erasure=None if pair is None else erasing.class_pair(names, pair),
                    **options,
                ),
                stored,
                report=report,
            )
    except progressing.Stopped as stop:
        say(str(stop))
        raise typer.Exit(130) from None
    was = f" ({before} were finished before)" if before else ""
    command = shlex.join(["penviz", "app", "--runs", str(out)])
    say(f"{len(members)} runs in {out} are finished{was}. Next: {command}")
