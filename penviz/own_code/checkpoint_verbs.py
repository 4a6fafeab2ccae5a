"""`train`, `extract` and `adopt` from Python: what the verbs of the command line do, with their defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from penviz.store.captured_run import CapturedRun, load
from penviz.store.runs import read_run


def train(
    dataset: str,
    model: str,
    out: Path | str,
    *,
    data_dir: Path | str = "data",
    device: str = "auto",
    resume: bool = False,
    **recipe: Any,
) -> Path:
    """Train a network on hard or soft targets, as `penviz train`.

    Args:
        dataset: a built-in name, a directory in ImageFolder layout, or an .npz file.
        model: a network's name (`penviz models`).
        out: directory of the run; it must be new or empty unless `resume`.
        data_dir: where built-in data sets lie; device: "auto", "cpu", "cuda", ...
        resume: continue a training that was stopped.
        recipe: fields of a RunConfig, such as `label_smoothing=0.1`, `epochs=20`, `seed=1`.

    Returns:
        The directory of the run; `extract` writes its activations.

    Raises:
        InputError: a request that cannot be met; nothing is written then.

    >>> import penviz
    >>> penviz.train("digits", "fc800", "runs/soft", label_smoothing=0.1, epochs=1).name
    'soft'
    """
    from penviz.training import data, defaults
    from penviz.training import train as training
    from penviz.training.train_options import TrainOptions

    model = defaults.network_name(dataset, model)
    loaded = data.load(
        dataset,
        seed=recipe.get("seed", 0),
        n_hold_out=recipe.get("hold_out", 0),
        data_dir=data_dir,
        image_size=recipe.setdefault("image_size", data.usual_size(dataset)),
    )
    config = defaults.default_config(dataset, model, loaded.image_shape, **recipe)
    return training.train(config, loaded, out, TrainOptions(resume=resume, device=device))


def extract(
    directory: Path | str,
    *,
    splits: Sequence[str] = ("train", "validation"),
    per_class: int = 1000,
    data_dir: Path | str = "data",
    device: str = "auto",
) -> CapturedRun:
    """Write the activations of a run that penviz trained, as `penviz extract`.

    Args:
        directory: of a finished run; splits: which are written.
        per_class: training examples per class, 0 for all; data_dir, device: as in `train`.

    Returns:
        The run with all its activations.

    Raises:
        InputError: an unfinished run, or other data than it was trained on.

    >>> import penviz
    >>> run = penviz.extract(penviz.train("digits", "fc800", "runs/hard", epochs=1), per_class=10)
    >>> [(split, len(a)) for split, a in run.splits.items()]
    [('train', 100), ('validation', 360)]
    """
    from penviz.training import data
    from penviz.training import extract as extraction
    from penviz.training.split_files import ExtractOptions

    run = read_run(Path(directory))
    config = run.config
    loaded = data.load(
        config.dataset,
        seed=config.held_out_seed,
        n_hold_out=config.hold_out,
        data_dir=data_dir,
        image_size=config.image_size,
    )
    options = ExtractOptions(tuple(splits), per_class, device=device)
    extraction.extract(run, loaded, options)
    return load(directory)


def adopt(
    file: Path | str | Sequence[Path | str],
    out: Path | str,
    *,
    say: Callable[[str], None] = print,
    **request: Any,
) -> CapturedRun:
    """Make a run of a checkpoint that penviz did not train, as `penviz extract FILE`.

    Args:
        file: a checkpoint, or a file of activations for each of `splits`.
        out: directory of the new run; say: takes each sentence about what was found.
        request: fields of a Request, such as `dataset="cifar10"`, `model="resnet20"`,
            `label_smoothing=0.1`, `splits=("train", "validation")`.

    Raises:
        InputError: a file that is refused, or a network that does not fit; it says what to do.

    >>> import numpy as np, penviz
    >>> labels = np.arange(60) % 3
    >>> np.savez("validation.npz", features=np.eye(3)[labels], labels=labels, weight=np.eye(3))
    >>> run = penviz.adopt("validation.npz", "runs/theirs", splits=("validation",), label_smoothing=0)
    Activations of 60 examples in 3 dimensions.
    >>> run.name, len(run.splits["validation"])
    ('theirs', 60)
    """
    from penviz.external.importing import import_checkpoint
    from penviz.external.importing.import_options import Request

    files = [file] if isinstance(file, str | Path) else list(file)
    places: dict[str, Any] = {"out": Path(out), "data_dir": Path(request.pop("data_dir", "data"))}
    asked = Request(**places, **request)
    import_checkpoint.extract_files(
        [Path(f) for f in files], asked, say=say, progress=lambda done, n, left: None
    )
    return load(out)
