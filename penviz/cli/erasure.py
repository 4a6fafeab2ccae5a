"""`penviz erasure`: what a finished network still tells of the wrong classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from penviz.cli.options import DataDir, Device, Threads, data_of, not_options, set_threads
from penviz.exit_codes import say
from penviz.store.directory_lock import locked
from penviz.store.runs import read_run, write_json


def erasure(
    runs: Annotated[list[Path], typer.Argument(help="Directories of finished runs.")],
    classes: Annotated[
        tuple[str, str] | None,
        typer.Option(
            callback=not_options, help="Two classes; airplane and dog, or the first two, when not given."
        ),
    ] = None,
    per_class: Annotated[int, typer.Option(min=2, help="Training examples of each of the two.")] = 300,
    samples: Annotated[int, typer.Option(min=1, help="Augmented samples an example, for its mean.")] = 5,
    data_dir: DataDir = Path("data"),
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Print what runs still tell of the wrong classes, and keep it in erasure.json of each."""
    found = [read_run(path) for path in runs]
    from penviz.training import checkpoints, data
    from penviz.training import erasure as erasing

    set_threads(threads)
    for run in found:
        network = checkpoints.load_network(run).to(checkpoints.choose_device(device))
        config = run.config
        loaded = data.first_share(data_of(config, data_dir), config.data_share)
        checkpoints.check_data(run, loaded, ("train", "validation"))
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
            say(
                f"{run.name} was trained without augmentation: "
                "its mutual information has no noise to stand against."
            )
    print("Lower means less is left about the wrong classes in this measure; it is not a student's accuracy.")


def _lines(record: Mapping[str, Any]) -> list[str]:
    """What was measured of a run, as its erasure.json has it."""
    from penviz.metrics.information import left_words

    values, n = record["values"], record["examples"]
    return [
        f"  mutual information, {' and '.join(record['classes'])}: {values['mutual_information']:.3f} nats "
        f"(at most ln {n} = {math.log(n):.2f}; {left_words(record['samples'])})",
        *(
            f"  {split}: spread of the wrong logits {values[f'{split}_wrong_logit_spread']:.3f} nats, "
            f"1 - stability {values[f'{split}_instability']:.4f}"
            for split in ("train", "validation")
        ),
    ]
