"""`penviz erasure`: what a finished network still tells of the wrong classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penviz.cli.options import DataDir, Device, Threads, Trust, Where, data_of, not_options, set_threads
from penviz.demo import SHIPPED
from penviz.exit_codes import say
from penviz.store.directory_lock import locked
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import SPLITS, Run, read_run, write_json

if TYPE_CHECKING:
    from penviz.training.data_set import DataSet


def erasure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of finished runs.")],
    classes: Annotated[
        tuple[str, str] | None,
        typer.Option(
            callback=not_options, help="Two classes; if not given, airplane and dog, or the first two."
        ),
    ] = None,
    per_class: Annotated[
        int, typer.Option(min=2, help="Training examples of each of the two classes.")
    ] = 300,
    samples: Annotated[int, typer.Option(min=1, help="Augmented samples per example, for its mean.")] = 5,
    pad: Annotated[
        int | None,
        typer.Option(help="Measure with crops padded by this many pixels; if not given, as in training."),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(help="Measure with half of the images mirrored; if not given, as in training."),
    ] = None,
    dataset: Where = "",
    trust: Trust = False,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Print what networks still say about the non-target classes, and write each run's erasure.json."""
    found = [read_run(path) for path in runs]
    from penviz.external.importing.adopted_network import network_of
    from penviz.training import checkpoints
    from penviz.training import erasure as erasing

    set_threads(threads)
    for run in found:
        config, loaded = _data(run, data_dir, dataset)
        if pad is not None or flip is not None:
            side = loaded.image_shape[0] if pad or config.crop else 0
            config = replace(config, pad=pad or 0, crop=config.crop or side, flip=bool(flip))
        network = network_of(run, loaded.class_names, trust=trust).to(checkpoints.choose_device(device))
        pair = erasing.class_pair(loaded.class_names, classes)
        values = erasing.erasure(network, loaded, config, pair, per_class=per_class, samples=samples)
        names = [loaded.class_names[k] for k in pair]
        n = sum(min(per_class, int((loaded.splits["train"].labels == k).sum())) for k in pair)
        record = {
            "classes": names,
            "examples": n,
            "samples": samples,
            "augmented": bool(config.crop or config.flip),
            "checkpoint_sha256": run.model_sha256,
            "values": values,
        }
        with locked(run.directory):
            write_json(run.directory / "erasure.json", record)
        print("\n".join([run.name, *_lines(record)]))
        if not record["augmented"]:
            why = "penviz does not know how {} was augmented: state --pad and --flip, or"
            why = why if run.adopted else "{} was trained without augmentation:"
            say(f"{why.format(run.name)} its mutual information is computed without augmentation noise.")
    print("Lower means less is left about the non-target classes. This is not a student's accuracy.")


def _data(run: Run, data_dir: Path, dataset: str) -> tuple[RunConfig, DataSet]:
    """The config of a run and the data that it is measured on, with a training split."""
    from penviz.training import checkpoints, data, data_set
    from penviz.training.students import image_size

    config, where = run.config, dataset or run.config.dataset
    if not run.adopted:
        loaded = data_set.first_share(data_of(config, data_dir, dataset or None), config.data_share)
        checkpoints.check_data(run, loaded, ("train", "validation"))
        return config, loaded
    if where in SHIPPED:
        raise RunError(f"{where} has no training images: name the whole data, --dataset {SHIPPED[where]}.")
    loaded = data.load_published(where, data_dir=data_dir, image_size=image_size(run, where))
    if not dataset:
        checkpoints.check_data(run, loaded, ())
    return config, loaded


def _lines(record: Mapping[str, Any]) -> list[str]:
    """What was measured of a run, as its erasure.json has it."""
    from penviz.metrics.information import left_words

    values, n = record["values"], record["examples"]
    return [
        f"  mutual information, {' and '.join(record['classes'])}: {values['mutual_information']:.3f} nats "
        f"(at most ln {n} = {math.log(n):.2f}; {left_words(record['samples'])})",
        *(
            f"  {split}: spread of the non-target logits {values[f'{split}_wrong_logit_spread']:.3f} nats, "
            f"1 - stability {values[f'{split}_instability']:.4f}"
            for split in SPLITS
            if f"{split}_instability" in values
        ),
    ]
