"""The files of the alpha dial: the same few examples of several trained runs, small enough to be shipped.

    python -m reproduction.dial RUN ... --out dial

Everything else of a run stays as it was: its config, the digest of its weights, its metrics, its command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penviz import ending
from penviz.activations import Activations
from penviz.learn.extract import first_of_each_class
from penviz.runs import RUN_FILE, RunError, activations_path, read_run, write_json

SPLITS = ("train", "validation")


def thin(
    runs: Annotated[list[Path], typer.Argument(help="Extracted runs that differ in label smoothing.")],
    out: Annotated[Path, typer.Option(help="Directory of the thin copies.")] = Path("dial"),
    per_class: Annotated[int, typer.Option(min=1, help="Examples a class and split.")] = 100,
) -> None:
    """Write the first examples of each class of some runs, features in half precision."""
    found = [read_run(path) for path in runs]
    for run in found:
        if not run.model_sha256 or set(run.splits()) < set(SPLITS):
            raise RunError(f"{run.name} is not finished or not extracted.")
    for run in found:
        place = out / run.name
        place.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            a = Activations.load(activations_path(run.directory, split))
            if a.checkpoint_sha256 != run.model_sha256:
                raise RunError(f"{run.name}: its activations are of other weights; extract it again.")
            a.take(first_of_each_class(a.labels, per_class)).save(activations_path(place, split), half=True)
        record = {key: value for key, value in run.record.items() if key != "thumbnails"}
        words = str(record.get("command", "")).replace(str(run.directory.resolve()), f"runs/sweep/{run.name}")
        about = {"per_class": per_class, "features": "float16", "weights": "not shipped; see model_sha256"}
        write_json(place / RUN_FILE, record | {"command": words, "thinned": about})
        ending.say(f"Wrote {place}")


def main() -> None:
    """Run it; bad input ends with one sentence on standard error and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(thin)
    ending.run(app)


if __name__ == "__main__":
    main()
